/*
title: Errors over time
interval: 1s
params:
  minutes: { type: int, default: 15, min: 1, max: 240 }
  services: { type: text[], default: [], enum: [checkout, search, catalog, accounts, shipping] }   # empty: all of them
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
         count(*) FILTER (WHERE severity = 'warning') AS warnings,
         count(*) FILTER (WHERE severity = 'error') AS errors,
         count(*) FILTER (WHERE severity = 'fatal') AS fatal
  FROM app_errors
  WHERE seen_at > now() - make_interval(mins => :minutes) - interval '10 seconds'
    AND (cardinality(:services) = 0 OR service = ANY (:services))
  GROUP BY 1
)
SELECT at,
       coalesce(warnings, 0)::int AS warnings,
       coalesce(errors, 0)::int AS errors,
       coalesce(fatal, 0)::int AS fatal
FROM buckets
LEFT JOIN seen USING (at)
ORDER BY at
