/*
title: Open support tickets
interval: 2s
params:
  priority: { type: text, default: all, enum: [all, low, normal, urgent] }
key: [id]
retain: 5m
presence: true
*/
SELECT id::text AS id,
       priority,
       subject,
       coalesce(assignee, 'unassigned') AS assignee,
       opened_at
FROM tickets
WHERE closed_at IS NULL
  AND (:priority = 'all' OR priority = :priority)
ORDER BY array_position(ARRAY['urgent', 'normal', 'low'], priority), opened_at
LIMIT 20
