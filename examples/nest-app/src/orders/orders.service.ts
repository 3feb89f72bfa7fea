import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { Kernel } from 'pollcast/nest';

export interface Order {
  readonly number: number;
  readonly region: string;
  readonly total: number;
}

const NUMBERS = 'invoice-numbers';

/** Stands for whatever keeps your data: a repository, an HTTP API, ClickHouse. */
@Injectable()
export class OrdersService implements OnApplicationBootstrap {
  readonly #orders: Order[] = [];

  constructor(private readonly kernel: Kernel) {}

  /** One process in the whole cluster, as long as the cluster lives. */
  async onApplicationBootstrap(): Promise<void> {
    await this.kernel.stand({ name: NUMBERS, kind: 'invoice-numbers', args: { first: 1001 } });
  }

  async place(region: string, total: number): Promise<Order> {
    const number = await this.kernel.call<number>(NUMBERS, {});
    const order = { number, region, total };
    this.#orders.push(order);
    return order;
  }

  all(): readonly Order[] {
    return this.#orders;
  }
}
