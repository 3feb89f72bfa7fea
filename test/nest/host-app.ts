import 'reflect-metadata';
import {
  Catch,
  Controller,
  Get,
  Injectable,
  Module,
  Param,
  type ArgumentsHost,
  type DynamicModule,
  type ExceptionFilter,
  type INestApplication,
  type PipeTransform,
  type Provider,
} from '@nestjs/common';
import { APP_FILTER, APP_PIPE, NestFactory } from '@nestjs/core';
import { MessageBody, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import type { Response } from 'express';
import type { AddressInfo } from 'node:net';
import { silent } from '../../src/kernel/log.js';
import { PollcastModule, Topic, usePollcast, type PollcastModuleOptions } from '../../src/nest/index.js';
import type { UsePollcastOptions } from '../../src/nest/use-pollcast.js';

/** What an application has long before it has a hub: its own filter for everything, a pipe, routes, a gateway. */
@Catch()
class HostFilter implements ExceptionFilter {
  catch(thrown: unknown, host: ArgumentsHost): void {
    host
      .switchToHttp()
      .getResponse<Response>()
      .status(418)
      .json({ host: (thrown as Error).message });
  }
}

@Injectable()
class HostPipe implements PipeTransform {
  transform(value: unknown): unknown {
    return value === 'shout' ? 'SHOUT' : value;
  }
}

@Controller('host')
class HostController {
  @Get('broken')
  broken(): never {
    throw new Error('the host is broken');
  }

  @Get('say/:word')
  say(@Param('word') word: string): { word: string } {
    return { word };
  }
}

@WebSocketGateway({ path: '/host.io' })
class HostGateway {
  /** As Nest's own adapter wants it: an event to send, no acknowledgement. */
  @SubscribeMessage('ping')
  ping(@MessageBody() body: unknown): { event: string; data: unknown } {
    return { event: 'pong', data: body };
  }
}

@Injectable()
export class Weather {
  degrees = 20;
  calls = 0;

  @Topic('weather.now', { interval: '50ms', params: { city: { type: 'text', default: 'Graz' } }, key: ['city'] })
  now({ city }: { city: string }): { city: string; degrees: number }[] {
    this.calls += 1;
    if (city === 'Atlantis') throw new Error('SELECT secret FROM postgres://me:pw@db');
    return [{ city, degrees: this.degrees }];
  }
}

@Module({})
class HostModule {
  static with(imports: DynamicModule[], providers: Provider[]): DynamicModule {
    return {
      module: HostModule,
      imports,
      controllers: [HostController],
      providers: [
        { provide: APP_FILTER, useClass: HostFilter },
        { provide: APP_PIPE, useClass: HostPipe },
        Weather,
        ...providers,
      ],
    };
  }
}

export interface HostOptions {
  readonly hub?: Partial<PollcastModuleOptions>;
  /** Instead of the module made of `hub`. */
  readonly imports?: DynamicModule[];
  readonly providers?: Provider[];
  readonly sockets?: UsePollcastOptions | null;
}

export async function createHost({
  hub,
  imports,
  providers = [],
  sockets = {},
}: HostOptions = {}): Promise<INestApplication> {
  const modules = imports ?? [PollcastModule.forRoot({ auth: 'none', logger: silent, lingerMs: 100, ...hub })];
  const app = await NestFactory.create(HostModule.with(modules, providers), {
    logger: false,
    forceCloseConnections: true,
    abortOnError: false,
  });
  if (sockets) await usePollcast(app, sockets);
  return app;
}

export async function startHost(options: HostOptions = {}): Promise<{ app: INestApplication; url: string }> {
  const app = await createHost({ providers: [HostGateway], ...options });
  await app.listen(0, '127.0.0.1');
  const { port } = (app.getHttpServer() as { address(): AddressInfo }).address();
  return { app, url: `http://127.0.0.1:${port}` };
}

export { HostGateway };
