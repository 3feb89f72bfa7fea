/*
title: Latest orders
interval: 1s
params:
  statuses: { type: text[], default: [], enum: [placed, paid, packed, shipped, cancelled] }
  limit: { type: int, default: 12, min: 1, max: 100 }
key: [id]
changed: select max(updated_at) from orders
retain: 5m
presence: true
*/
SELECT id::text AS id,
       placed_at,
       customer,
       region,
       status,
       total::float8 AS total
FROM orders
WHERE cardinality(:statuses) = 0 OR status::text = ANY (:statuses)
ORDER BY orders.id DESC
LIMIT :limit
