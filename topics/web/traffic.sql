/*
title: Page views by device
interval: 1s
params:
  minutes: { type: int, default: 15, min: 1, max: 120 }
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
), seen AS (
  SELECT date_bin('10 seconds', seen_at, timestamptz '2000-01-01') AS at,
         count(*) FILTER (WHERE device = 'desktop') AS desktop,
         count(*) FILTER (WHERE device = 'mobile') AS mobile,
         count(*) FILTER (WHERE device = 'tablet') AS tablet
  FROM page_views
  WHERE seen_at > now() - make_interval(mins => :minutes) - interval '10 seconds'
  GROUP BY 1
)
SELECT at,
       coalesce(desktop, 0)::int AS desktop,
       coalesce(mobile, 0)::int AS mobile,
       coalesce(tablet, 0)::int AS tablet
FROM buckets
LEFT JOIN seen USING (at)
ORDER BY at
