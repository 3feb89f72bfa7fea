import { Body, Controller, Delete, Get, Header, HttpCode, Inject, Param, Post, UseGuards } from '@nestjs/common';
import { z } from 'zod';
import { PollcastError } from '../../errors.js';
import { Operations } from '../operations.js';
import type { NodeRow, ProcessRow, ViewerRow } from '../tables.js';
import type { Cleaned } from '../zombie-hunter.js';
import type { Zombie } from '../zombies.js';
import { AdminGuard } from './admin.guard.js';

const moveBody = z.strictObject({ to: z.string().min(1).max(200).optional() }).optional();

/** The admin API: the CLI's tables and commands for those who cannot, or may not, reach the cluster's Redis. */
@Controller('api')
@UseGuards(AdminGuard)
export class AdminController {
  constructor(@Inject(Operations) private readonly operations: Operations) {}

  @Get('nodes')
  @Header('Cache-Control', 'no-store')
  nodes(): Promise<NodeRow[]> {
    return this.operations.nodes();
  }

  @Get('processes')
  @Header('Cache-Control', 'no-store')
  processes(): Promise<ProcessRow[]> {
    return this.operations.processes();
  }

  @Get('viewers')
  @Header('Cache-Control', 'no-store')
  viewers(): Promise<ViewerRow[]> {
    return this.operations.viewers();
  }

  @Get('zombies')
  @Header('Cache-Control', 'no-store')
  zombies(): Promise<Zombie[]> {
    return this.operations.zombies();
  }

  @Post('zombies/clean')
  @HttpCode(200)
  clean(): Promise<Cleaned[]> {
    return this.operations.cleanZombies();
  }

  @Delete('processes/:name')
  async stop(@Param('name') name: string): Promise<{ ok: true; name: string }> {
    await this.operations.stop(name);
    return { ok: true, name };
  }

  @Post('processes/:name/move')
  @HttpCode(200)
  async move(@Param('name') name: string, @Body() body: unknown): Promise<{ ok: true; name: string; node: string }> {
    const read = moveBody.safeParse(body ?? undefined);
    if (!read.success) {
      throw new PollcastError(
        'BAD_REQUEST',
        'expected no body, or { "to": NODE }',
        read.error.issues.map(({ path, message }) => ({ path, message })),
      );
    }
    return { ok: true, name, node: await this.operations.move(name, read.data?.to) };
  }

  @Post('nodes/:name/cordon')
  @HttpCode(200)
  cordon(@Param('name') name: string): Promise<{ ok: true; name: string; state: string }> {
    return this.#cordon(name, true);
  }

  @Post('nodes/:name/uncordon')
  @HttpCode(200)
  uncordon(@Param('name') name: string): Promise<{ ok: true; name: string; state: string }> {
    return this.#cordon(name, false);
  }

  async #cordon(name: string, cordoned: boolean): Promise<{ ok: true; name: string; state: string }> {
    await this.operations.cordon(name, cordoned);
    return { ok: true, name, state: cordoned ? 'cordoned' : 'live' };
  }
}
