import { Get, Header, Inject, Req, Res } from '@nestjs/common';
import type { Request, Response } from 'express';
import { z } from 'zod';
import { AccessService } from '../access/access.service.js';
import { ApiController } from '../http/api.controller.js';
import { Described } from '../http/described.js';
import { Lobby } from './lobby.js';
import { LobbyStream } from './lobby-stream.js';
import { RoomHub } from './room-hub.js';
import type { RoomHead } from './store/store.js';

const heads = z.array(
  z.object({
    room: z.string(),
    version: z.number().int(),
    status: z.unknown(),
    members: z.number().int(),
    at: z.number().describe('ms since 1970 of the newest event'),
  }),
);

const KEEP_ALIVE_MS = 15_000;

/** The lobby: rooms that are open, or kept. */
@ApiController('api/rooms')
export class RoomsController {
  constructor(
    @Inject(RoomHub) private readonly hub: RoomHub,
    @Inject(Lobby) private readonly lobby: Lobby,
    @Inject(AccessService) private readonly access: AccessService,
  ) {}

  @Get()
  @Header('Cache-Control', 'no-store')
  @Described({ summary: 'Rooms that are open, or kept', answer: heads, errors: ['UNAUTHENTICATED', 'RATE_LIMITED'] })
  async list(@Req() request: Request): Promise<RoomHead[]> {
    await this.access.admitRequest(await this.access.authenticateRequest(request), request);
    return this.hub.heads();
  }

  /** As `list`, and then what changes. */
  @Get('stream')
  @Described({
    summary: 'Rooms that are open, or kept, and what changes, as Server-Sent Events',
    details: 'Events: `rooms` with all of them, again now and then; `changed` with those that changed.',
    answer: { contentType: 'text/event-stream', description: 'Until the caller, or the hub, ends it.' },
    errors: ['UNAUTHENTICATED', 'RATE_LIMITED', 'UNAVAILABLE'],
  })
  async stream(@Req() request: Request, @Res() response: Response): Promise<void> {
    const identity = await this.access.authenticateRequest(request);
    await this.access.admitRequest(identity, request);
    // Gone while its token was verified: its `close` has been already.
    if (response.destroyed) return;
    const ends = [this.access.stay(identity, request, () => response.end())];
    // Comes after a refusal too, with the end of that answer.
    response.on('close', () => ends.splice(0).forEach((end) => end()));
    const stream = new LobbyStream(response, () => this.lobby.heads);
    const leave = await this.lobby.watch(stream);
    const timer = setInterval(() => stream.keepAlive(), KEEP_ALIVE_MS);
    ends.push(leave, () => clearInterval(timer));
    if (response.destroyed) ends.splice(0).forEach((end) => end());
  }
}
