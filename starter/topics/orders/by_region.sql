/*
title: Orders by region
interval: 1s              # the fastest refresh; while nobody watches, nothing is asked
params:
  minutes: { type: int, default: 60, min: 1, max: 1440 }
key: [region]             # what identifies a row, so that viewers can get only what changed
*/
SELECT region, count(*)::int AS orders, sum(total)::float8 AS revenue
FROM orders
WHERE placed_at > now() - make_interval(mins => :minutes)
GROUP BY region
ORDER BY region
