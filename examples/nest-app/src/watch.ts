import { createHub } from 'pollcast/client';

const hub = createHub(process.argv[2] ?? 'http://127.0.0.1:3000');

for await (const rows of hub.topic('orders.by_region', { min_total: 5 })) {
  console.log(
    rows.map(({ region, orders, revenue }) => `${region}: ${orders} for ${revenue.toFixed(2)}`).join(', ') ||
      'no orders yet',
  );
}
