/*
title: Visitors now
interval: 1s
retain: 5m
*/
SELECT count(DISTINCT visitor)::int AS visitors
FROM page_views
WHERE seen_at > now() - interval '1 minute'
