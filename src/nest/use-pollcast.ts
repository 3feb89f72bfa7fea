import type { INestApplication, WebSocketAdapter } from '@nestjs/common';
import { NestApplication, type ApplicationConfig } from '@nestjs/core';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { AccessService } from '../access/access.service.js';
import { ClusterIoAdapter } from '../cluster/io-adapter.js';
import type { Config } from '../config.js';
import { PollcastError } from '../errors.js';
import { Mount } from '../http/mount.js';
import type { Logger } from '../kernel/log.js';
import { CONFIG, LOG } from '../node.tokens.js';

export interface UsePollcastOptions {
  /** Where viewers connect; for `pollcast/client` it is `{ path }` too. Default: `/socket.io`. */
  readonly path?: string;
  /**
   * Serves the application's own gateways. They keep their servers, their rooms and their options; only the path must be
   * another one. Default: Nest's `IoAdapter`.
   */
  readonly adapter?: WebSocketAdapter;
}

/**
 * Gives the hub its sockets: after `NestFactory.create`, before `app.listen` or `app.init`. It takes the place of
 * `app.useWebSocketAdapter`.
 *
 * @throws PollcastError `BAD_REQUEST` when the application does not fit; `UNAVAILABLE` when Redis does not answer
 */
export async function usePollcast(app: INestApplication, options: UsePollcastOptions = {}): Promise<void> {
  if (!(app instanceof NestApplication)) {
    throw new PollcastError(
      'BAD_REQUEST',
      'usePollcast: expected an application of the same @nestjs/core that Pollcast has, got one of another copy: `npm ls @nestjs/core` shows both; the application needs Nest 12, and `npm dedupe` makes them one.',
    );
  }
  const http = app.getHttpAdapter().getType();
  if (http !== 'express') {
    throw new PollcastError('BAD_REQUEST', `usePollcast: expected an application on Express, got one on ${http}.`);
  }
  const { config, access, log, mount } = partsOf(app);
  mount.below(() => globalPrefixOf(app));
  const { path, adapter: others = new IoAdapter(app) } = options;
  const adapter = new ClusterIoAdapter(app, { access, log, path, others });
  if (config.redisUrl !== undefined) await adapter.connectRedis(config.redisUrl);
  app.useWebSocketAdapter(adapter);
}

interface HubParts {
  readonly config: Config;
  readonly access: AccessService;
  readonly log: Logger;
  readonly mount: Mount;
}

function partsOf(app: INestApplication): HubParts {
  try {
    return { config: app.get(CONFIG), access: app.get(AccessService), log: app.get(LOG), mount: app.get(Mount) };
  } catch (cause) {
    throw new PollcastError(
      'BAD_REQUEST',
      'usePollcast: expected PollcastModule.forRoot(…) among the imports of the application, got an application without it.',
      undefined,
      { cause },
    );
  }
}

/** Nest tells it to its own routes only. */
function globalPrefixOf(app: NestApplication): string {
  return (app as unknown as { readonly config: ApplicationConfig }).config.getGlobalPrefix();
}
