/*
title: Orders per minute
interval: 1s
retain: 5m
*/
SELECT round(count(*) / 5.0, 1)::float8 AS orders_per_minute
FROM orders
WHERE placed_at > now() - interval '5 minutes'
