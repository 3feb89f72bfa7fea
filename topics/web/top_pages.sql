/*
title: Most viewed pages
interval: 1s
params:
  minutes: { type: int, default: 10, min: 1, max: 240 }
  device: { type: text, default: all, enum: [all, desktop, mobile, tablet] }
  limit: { type: int, default: 8, min: 1, max: 50 }
key: [path]
retain: 5m
*/
SELECT path,
       count(*)::int AS views,
       count(DISTINCT visitor)::int AS visitors
FROM page_views
WHERE seen_at > now() - make_interval(mins => :minutes)
  AND (:device = 'all' OR device = :device)
GROUP BY path
ORDER BY views DESC, path
LIMIT :limit
