import { Injectable } from '@nestjs/common';
import { Topic } from 'pollcast/nest';
import { OrdersService } from './orders.service.js';

interface RegionRow {
  readonly region: string;
  readonly orders: number;
  readonly revenue: number;
}

@Injectable()
export class OrdersTopics {
  constructor(private readonly orders: OrdersService) {}

  /** Called once a second for the whole cluster while somebody watches, and not at all while nobody does. */
  @Topic('orders.by_region', {
    title: 'Orders by region',
    interval: '1s',
    params: { min_total: { type: 'float', default: 0, min: 0 } },
    key: ['region'],
  })
  byRegion({ min_total }: { min_total: number }): RegionRow[] {
    const regions = new Map<string, RegionRow>();
    for (const { region, total } of this.orders.all()) {
      if (total < min_total) continue;
      const { orders, revenue } = regions.get(region) ?? { orders: 0, revenue: 0 };
      regions.set(region, { region, orders: orders + 1, revenue: revenue + total });
    }
    return [...regions.values()];
  }
}
