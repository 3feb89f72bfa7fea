import { Controller, Get, Header, Inject, Req } from '@nestjs/common';
import type { Request } from 'express';
import { z } from 'zod';
import { AccessService } from '../access/access.service.js';
import { Described } from '../http/described.js';
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

/** The lobby: rooms that are open, or kept. */
@Controller('api/rooms')
export class RoomsController {
  constructor(
    @Inject(RoomHub) private readonly hub: RoomHub,
    @Inject(AccessService) private readonly access: AccessService,
  ) {}

  @Get()
  @Header('Cache-Control', 'no-store')
  @Described({ summary: 'Rooms that are open, or kept', answer: heads, errors: ['UNAUTHENTICATED'] })
  async list(@Req() request: Request): Promise<RoomHead[]> {
    await this.access.authenticateRequest(request);
    return this.hub.heads();
  }
}
