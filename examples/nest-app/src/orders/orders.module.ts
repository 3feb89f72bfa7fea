import { Module } from '@nestjs/common';
import { InvoiceNumbers } from './invoice-numbers.js';
import { OrdersController } from './orders.controller.js';
import { OrdersService } from './orders.service.js';
import { OrdersTopics } from './orders.topics.js';

@Module({
  controllers: [OrdersController],
  // Pollcast finds what is decorated, in whichever module it is.
  providers: [OrdersService, OrdersTopics, InvoiceNumbers],
})
export class OrdersModule {}
