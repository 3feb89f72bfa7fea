import { Module } from '@nestjs/common';
import { PollcastModule } from 'pollcast/nest';
import { OrdersModule } from './orders/orders.module.js';

@Module({
  imports: [
    PollcastModule.forRoot({
      auth: 'none', // everybody may watch; 'jwt' with authJwtSecret or authJwksUrl for your users
      adminToken: process.env.ADMIN_TOKEN,
      redisUrl: process.env.REDIS_URL, // absent: this process is the whole cluster
      prefix: 'live', // Pollcast's routes are /live/api/…, /live/health/…, /live/metrics
    }),
    OrdersModule,
  ],
})
export class AppModule {}
