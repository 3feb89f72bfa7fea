/*
title: Revenue over time
interval: 1s
params:
  minutes: { type: int, default: 15, min: 1, max: 120 }
  region: { type: text, default: all, enum: [all, EU, US, APAC] }
key: [at]
retain: 5m
presence: true
*/
WITH buckets AS (
  SELECT generate_series(
           date_bin('10 seconds', now(), timestamptz '2000-01-01') - make_interval(mins => :minutes),
           date_bin('10 seconds', now(), timestamptz '2000-01-01'),
           interval '10 seconds'
         ) AS at
), sold AS (
  SELECT date_bin('10 seconds', placed_at, timestamptz '2000-01-01') AS at,
         count(*) AS orders,
         sum(total) AS revenue
  FROM orders
  WHERE placed_at > now() - make_interval(mins => :minutes) - interval '10 seconds'
    AND status <> 'cancelled'
    AND (:region = 'all' OR region = :region)
  GROUP BY 1
)
SELECT at,
       coalesce(revenue, 0)::float8 AS revenue,
       coalesce(orders, 0)::int AS orders
FROM buckets
LEFT JOIN sold USING (at)
ORDER BY at
