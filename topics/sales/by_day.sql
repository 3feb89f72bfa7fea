/*
title: Sales by day and region
interval: 5s
params:
  from: { type: date, default: null }    # null: the last seven days
  to: { type: date, default: null }      # null: today
  regions: { type: text[], default: [EU, US, APAC], enum: [EU, US, APAC] }
key: [day, region]
changed: select max(updated_at) from orders
*/
SELECT placed_at::date AS day,
       region,
       count(*)::int AS orders,
       (count(*) FILTER (WHERE status = 'cancelled'))::int AS cancelled,
       coalesce(sum(total) FILTER (WHERE status <> 'cancelled'), 0)::float8 AS revenue
FROM orders
WHERE placed_at >= coalesce(:from, current_date - 7)
  AND placed_at < coalesce(:to, current_date) + 1
  AND region = ANY (:regions)
GROUP BY 1, 2
ORDER BY 1 DESC, 2
