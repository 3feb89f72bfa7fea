import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { usePollcast } from 'pollcast/nest';
import { AppModule } from './app.module.js';

const app = await NestFactory.create(AppModule);
// Pollcast adds no signal handlers: that the application leaves in order is the application's choice.
app.enableShutdownHooks();
await usePollcast(app);
await app.listen(Number(process.env.PORT ?? 3000), '127.0.0.1');
console.log(`The shop is at ${await app.getUrl()}`);
