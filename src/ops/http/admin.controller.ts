import { Body, Delete, Get, Header, HttpCode, Inject, Param, Post, Query, UseGuards } from '@nestjs/common';
import type { Database } from '../../database/database.js';
import { ApiController } from '../../http/api.controller.js';
import { Described } from '../../http/described.js';
import { DATABASE } from '../../node.tokens.js';
import { parseMessage } from '../../sockets/message.js';
import { TopicCatalogue } from '../../topics/catalogue.js';
import { channelOf } from '../../topics/channel.js';
import { explain } from '../explain.js';
import { Operations } from '../operations.js';
import type { NodeRow, ProcessRow, ViewerRow } from '../tables.js';
import type { Cleaned } from '../zombie-hunter.js';
import type { Zombie } from '../zombies.js';
import { AdminGuard } from './admin.guard.js';
import {
  cleaned,
  cordoned,
  moveBody,
  moved,
  nodeRows,
  plan,
  processRows,
  stopped,
  viewerRows,
  zombies,
} from './schemas.js';

const PROCESS = { name: 'name of a process, such as `poller:sales.by_region`' };
const NODE = { name: 'name of a node' };

/** The admin API: the CLI's tables and commands for those who cannot, or may not, reach the cluster's Redis. */
@ApiController('api')
@UseGuards(AdminGuard)
export class AdminController {
  constructor(
    @Inject(Operations) private readonly operations: Operations,
    @Inject(TopicCatalogue) private readonly topics: TopicCatalogue,
    @Inject(DATABASE) private readonly database: Pick<Database, 'url'>,
  ) {}

  @Get('nodes')
  @Described({ summary: 'The nodes of the cluster', answer: nodeRows, admin: true })
  @Header('Cache-Control', 'no-store')
  nodes(): Promise<NodeRow[]> {
    return this.operations.nodes();
  }

  @Get('processes')
  @Described({ summary: 'Its processes, and who owns them', answer: processRows, admin: true })
  @Header('Cache-Control', 'no-store')
  processes(): Promise<ProcessRow[]> {
    return this.operations.processes();
  }

  @Get('viewers')
  @Described({ summary: 'Watched channels and their viewers', answer: viewerRows, admin: true })
  @Header('Cache-Control', 'no-store')
  viewers(): Promise<ViewerRow[]> {
    return this.operations.viewers();
  }

  @Get('zombies')
  @Described({ summary: 'What should not exist any more; nothing is removed', answer: zombies, admin: true })
  @Header('Cache-Control', 'no-store')
  zombies(): Promise<Zombie[]> {
    return this.operations.zombies();
  }

  @Post('zombies/clean')
  @Described({ summary: 'Removes zombies, fenced', answer: cleaned, admin: true })
  @HttpCode(200)
  clean(): Promise<Cleaned[]> {
    return this.operations.cleanZombies();
  }

  @Post('topics/:name/explain')
  @HttpCode(200)
  @Described({
    summary: "The database's plan of a topic's statement; nothing is run",
    details: "The topic's parameters are given in the query.",
    path: { name: 'name of a topic' },
    answer: plan,
    errors: ['UNKNOWN_TOPIC', 'INVALID_PARAMS', 'BAD_REQUEST', 'QUERY_FAILED'],
    admin: true,
  })
  async explain(
    @Param('name') name: string,
    @Query() query: Record<string, unknown>,
  ): Promise<{ topic: string; plan: string }> {
    const channel = channelOf(this.topics.get(name), query, {}, { lenient: true });
    return { topic: name, plan: await explain(channel, this.database.url) };
  }

  @Delete('processes/:name')
  @Described({ summary: 'Stops a process', path: PROCESS, answer: stopped, errors: ['NOT_FOUND'], admin: true })
  async stop(@Param('name') name: string): Promise<{ ok: true; name: string }> {
    await this.operations.stop(name);
    return { ok: true, name };
  }

  @Post('processes/:name/move')
  @Described({
    summary: 'Hands a process to another node',
    path: PROCESS,
    body: moveBody,
    answer: moved,
    errors: ['NOT_FOUND', 'BAD_REQUEST'],
    admin: true,
  })
  @HttpCode(200)
  async move(@Param('name') name: string, @Body() body: unknown): Promise<{ ok: true; name: string; node: string }> {
    const read = parseMessage(moveBody, body ?? undefined);
    return { ok: true, name, node: await this.operations.move(name, read?.to) };
  }

  @Post('nodes/:name/cordon')
  @Described({
    summary: 'Places no more processes on a node',
    path: NODE,
    answer: cordoned,
    errors: ['NOT_FOUND'],
    admin: true,
  })
  @HttpCode(200)
  cordon(@Param('name') name: string): Promise<{ ok: true; name: string; state: string }> {
    return this.#cordon(name, true);
  }

  @Post('nodes/:name/uncordon')
  @Described({
    summary: 'Places processes on it again',
    path: NODE,
    answer: cordoned,
    errors: ['NOT_FOUND'],
    admin: true,
  })
  @HttpCode(200)
  uncordon(@Param('name') name: string): Promise<{ ok: true; name: string; state: string }> {
    return this.#cordon(name, false);
  }

  async #cordon(name: string, cordoned: boolean): Promise<{ ok: true; name: string; state: string }> {
    await this.operations.cordon(name, cordoned);
    return { ok: true, name, state: cordoned ? 'cordoned' : 'live' };
  }
}
