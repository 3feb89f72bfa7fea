/*
title: Stock by warehouse
interval: 2s
key: [warehouse]
retain: 5m
*/
SELECT s.warehouse,
       sum(s.on_hand)::int AS units,
       sum(s.on_hand * p.price)::float8 AS value,
       (count(*) FILTER (WHERE s.on_hand <= s.reorder_at))::int AS running_low
FROM stock AS s
JOIN products AS p ON p.id = s.product_id
GROUP BY s.warehouse
ORDER BY s.warehouse
