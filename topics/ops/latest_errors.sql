/*
title: Latest errors
interval: 1s
params:
  severity: { type: text, default: all, enum: [all, warning, error, fatal] }
  limit: { type: int, default: 10, min: 1, max: 100 }
key: [id]
changed: select max(id) from app_errors
retain: 5m
*/
SELECT id::text AS id,
       seen_at,
       service,
       severity,
       message
FROM app_errors
WHERE :severity = 'all' OR severity = :severity
ORDER BY app_errors.id DESC
LIMIT :limit
