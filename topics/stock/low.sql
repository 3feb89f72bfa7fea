/*
title: Running low
interval: 2s
params:
  warehouse: { type: text, default: all, enum: [all, Hamburg, Reno, Singapore] }
  limit: { type: int, default: 12, min: 1, max: 144 }
key: [sku, warehouse]
retain: 5m
*/
SELECT p.sku,
       s.warehouse,
       p.name AS product,
       s.on_hand,
       s.reorder_at,
       s.restocked_at
FROM stock AS s
JOIN products AS p ON p.id = s.product_id
WHERE :warehouse = 'all' OR s.warehouse = :warehouse
ORDER BY s.on_hand - s.reorder_at, p.sku, s.warehouse
LIMIT :limit
