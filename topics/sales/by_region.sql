/*
title: Revenue by region
interval: 1s
params:
  region: { type: text, default: all, enum: [all, EU, US, APAC] }
  minutes: { type: int, default: 60, min: 1, max: 1440 }
key: [region]
retain: 5m
presence: true
*/
SELECT region,
       count(*)::int AS orders,
       sum(total)::float8 AS revenue,
       round(avg(total), 2)::float8 AS average_order
FROM orders
WHERE placed_at > now() - make_interval(mins => :minutes)
  AND status <> 'cancelled'
  AND (:region = 'all' OR region = :region)
GROUP BY region
ORDER BY revenue DESC
