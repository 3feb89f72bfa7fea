/*
title: Deployments
interval: 2s
key: [id]
changed: select max(id), max(finished_at) from deployments
*/
SELECT id::text AS id,
       service,
       version,
       status,
       started_at,
       finished_at
FROM deployments
ORDER BY deployments.id DESC
LIMIT 8
