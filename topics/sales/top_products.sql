/*
title: Best sellers
interval: 2s
params:
  category: { type: text, default: all, enum: [all, lighting, kitchen, living, office, garden, bedroom] }
  minutes: { type: int, default: 60, min: 1, max: 1440 }
  limit: { type: int, default: 8, min: 1, max: 50 }
key: [sku]
retain: 5m
*/
SELECT p.sku,
       p.name AS product,
       p.category,
       sum(i.quantity)::int AS sold,
       sum(i.quantity * i.unit_price)::float8 AS revenue
FROM orders AS o
JOIN order_items AS i ON i.order_id = o.id
JOIN products AS p ON p.id = i.product_id
WHERE o.placed_at > now() - make_interval(mins => :minutes)
  AND o.status <> 'cancelled'
  AND (:category = 'all' OR p.category = :category)
GROUP BY p.sku, p.name, p.category
ORDER BY revenue DESC, p.sku
LIMIT :limit
