/*
title: Revenue, last 24 hours
interval: 1s
retain: 5m
presence: true
*/
SELECT coalesce(sum(total), 0)::float8 AS revenue
FROM orders
WHERE placed_at > now() - interval '24 hours'
  AND status <> 'cancelled'
