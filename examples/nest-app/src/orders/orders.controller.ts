import { BadRequestException, Body, Controller, Post } from '@nestjs/common';
import { OrdersService, type Order } from './orders.service.js';

@Controller('orders')
export class OrdersController {
  constructor(private readonly orders: OrdersService) {}

  @Post()
  place(@Body() body: { region?: unknown; total?: unknown } = {}): Promise<Order> {
    const { region, total } = body;
    if (typeof region !== 'string' || typeof total !== 'number') {
      throw new BadRequestException('expected { region: text, total: number }');
    }
    return this.orders.place(region, total);
  }
}
