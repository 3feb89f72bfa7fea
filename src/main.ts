import 'reflect-metadata';
import { existsSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import express, { type Request, type Response } from 'express';
import helmet from 'helmet';
import { AccessService } from './access/access.service.js';
import { HELMET_OPTIONS } from './access/helmet.js';
import { AppModule, type NodeOptions } from './app.module.js';
import { ClusterIoAdapter } from './cluster/io-adapter.js';
import { readConfig, type Config } from './config.js';
import { describe, PollcastError } from './errors.js';
import type { Logger } from './kernel/log.js';
import { createLogger, NestLog } from './ops/logger.js';
import { packageVersion } from './version.js';

/** How long a connection may take to say what it wants, before anything else can count it. */
const HEADERS_TIMEOUT_MS = 10_000;
/** The pages as they are built beside this file. */
const WEB = fileURLToPath(new URL('./web', import.meta.url));

/**
 * Starts a node and keeps it running until SIGTERM or SIGINT; then it leaves in order, and the process ends with 0.
 *
 * @param modules an application's own, in the node
 * @param web     the folder of the pages
 */
export async function runNode(config: Config, modules: NodeOptions['modules'] = [], web = WEB): Promise<void> {
  const log = createLogger(config);
  const app = await NestFactory.create<NestExpressApplication>(
    AppModule.forNode({ config, log, version: packageVersion(), modules }),
    {
      logger: new NestLog(log),
      forceCloseConnections: true,
      abortOnError: false,
    },
  );
  const adapter = new ClusterIoAdapter(app, { access: app.get(AccessService), log });
  try {
    if (config.redisUrl !== undefined) await adapter.connectRedis(config.redisUrl);
    app.useWebSocketAdapter(adapter);
    servePages(app, web);
    stopOnSignals(app, adapter, config, log);
    app.getHttpServer().headersTimeout = HEADERS_TIMEOUT_MS;
    await app.listen(config.port, config.host);
  } catch (error) {
    await app.close();
    adapter.disconnectRedis();
    throw listenFailure(error, config);
  }
  log.info({ url: await app.getUrl() }, `Pollcast is at ${(await app.getUrl()).replace('[::1]', 'localhost')}`);
  process.send?.({ listening: await app.getUrl() });
}

function servePages(app: NestExpressApplication, web: string): void {
  app.disable('x-powered-by');
  app.use(helmet(HELMET_OPTIONS));
  if (!existsSync(web)) return;
  // Names under /assets carry a hash of what they hold; the pages themselves do not.
  app.use('/assets', express.static(`${web}/assets`, { immutable: true, maxAge: '1y', index: false }));
  // The dashboard, looked at together.
  app.use('/rooms/:room', (_request: Request, response: Response) => {
    response.setHeader('Cache-Control', 'no-cache');
    response.sendFile('index.html', { root: web });
  });
  // `/console` is console.html.
  app.use(
    express.static(web, {
      extensions: ['html'],
      setHeaders: (response) => response.setHeader('Cache-Control', 'no-cache'),
    }),
  );
}

function stopOnSignals(app: NestExpressApplication, adapter: ClusterIoAdapter, config: Config, log: Logger): void {
  let stopping = false;
  const stop = (why: string): void => {
    if (stopping) return;
    stopping = true;
    log.info({ why }, 'stopping');
    app
      .close()
      .catch((error: unknown) => log.error({ err: error }, 'the stop was not in order'))
      .finally(() => {
        adapter.disconnectRedis();
        process.exit(0);
      });
  };
  process.on('SIGTERM', () => stop('SIGTERM'));
  process.on('SIGINT', () => stop('SIGINT'));
  // Forked by a supervisor that has died: nobody would ever stop us.
  if (process.connected) process.on('disconnect', () => stop('parent gone'));
}

function listenFailure(error: unknown, { port, host }: Config): unknown {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'EADDRINUSE')
    return new PollcastError(
      'UNAVAILABLE',
      `Port ${port} on ${host} is in use: stop what runs there, or set PORT to another one.`,
    );
  if (code === 'EACCES')
    return new PollcastError(
      'UNAVAILABLE',
      `Port ${port} on ${host} may not be opened: choose one above 1023 by PORT.`,
    );
  if (code === 'EADDRNOTAVAIL')
    return new PollcastError('UNAVAILABLE', `${host} is not an address of this machine: set HOST to one that is.`);
  return error;
}

/** The node of this process's environment; what is wrong is one clear text on stderr, and exit code 1. */
export async function main(): Promise<void> {
  try {
    await runNode(readConfig());
  } catch (error) {
    process.stderr.write(
      `${error instanceof PollcastError ? describe(error) : ((error as Error).stack ?? String(error))}\n`,
    );
    process.exit(1);
  }
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) await main();
