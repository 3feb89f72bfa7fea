/*
title: Load time by page, last 24 hours
interval: 5s            # reads a day of page views: by far the most expensive of the demo
params:
  region: { type: text, default: all, enum: [all, EU, US, APAC] }
key: [path]
timeout: 10s
*/
SELECT path,
       count(*)::int AS views,
       count(DISTINCT visitor)::int AS visitors,
       (percentile_cont(0.5) WITHIN GROUP (ORDER BY load_ms))::int AS median_ms,
       (percentile_cont(0.95) WITHIN GROUP (ORDER BY load_ms))::int AS p95_ms,
       (percentile_cont(0.99) WITHIN GROUP (ORDER BY load_ms))::int AS p99_ms
FROM page_views
WHERE seen_at > now() - interval '24 hours'
  AND (:region = 'all' OR region = :region)
GROUP BY path
ORDER BY p95_ms DESC, path
