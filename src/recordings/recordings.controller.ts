import { pipeline } from 'node:stream/promises';
import { Delete, Get, HttpCode, Inject, Param, Req, Res } from '@nestjs/common';
import type { Request, Response } from 'express';
import { z } from 'zod';
import { AccessService } from '../access/access.service.js';
import { PollcastError } from '../errors.js';
import { ApiController } from '../http/api.controller.js';
import { Described } from '../http/described.js';
import { Mount } from '../http/mount.js';
import { STORAGE } from '../node.tokens.js';
import type { Storage } from '../storage/storage.js';
import { Library } from './library.js';
import { rangeOf } from './range.js';
import { files, isOver, recordingSchema, toWire, type Recording } from './recording.js';
import { Recordings } from './recordings.js';

const ID = { id: 'id of a recording' };
const ERRORS = ['UNAUTHENTICATED', 'NOT_FOUND', 'UNAVAILABLE'] as const;
const wire = recordingSchema.omit({ owner: true }).extend({
  url: z.string().optional(),
  timelineUrl: z.string().optional(),
  thumbnailUrl: z.string().optional(),
});

/** Recordings over HTTP, from any node, for whoever started them and for administrators. */
@ApiController('api/recordings')
export class RecordingsController {
  constructor(
    @Inject(Recordings) private readonly recordings: Recordings,
    @Inject(Library) private readonly library: Library,
    @Inject(AccessService) private readonly access: AccessService,
    @Inject(STORAGE) private readonly storage: Storage,
    @Inject(Mount) private readonly mount: Mount,
  ) {}

  @Get(':id')
  @Described({ summary: 'A recording', path: ID, answer: wire, errors: ERRORS })
  async one(@Param('id') id: string, @Req() request: Request): Promise<object> {
    return toWire(await this.#own(id, request), this.mount);
  }

  @Get(':id/video')
  @Described({
    summary: 'The video of a finished recording',
    path: ID,
    headers: { Range: 'a part of it, as players ask for' },
    answer: { contentType: 'video/mp4' },
    others: { 206: 'The part that was asked for.', 416: 'There is no such part.' },
    errors: ERRORS,
  })
  video(@Param('id') id: string, @Req() request: Request, @Res() response: Response): Promise<void> {
    return this.#send(id, files.video(id), 'video/mp4', request, response);
  }

  @Get(':id/timeline')
  @Described({
    summary: 'What happened in a finished recording: one JSON object a line, by the clock of its video',
    path: ID,
    answer: { contentType: 'application/x-ndjson' },
    errors: ERRORS,
  })
  timeline(@Param('id') id: string, @Req() request: Request, @Res() response: Response): Promise<void> {
    return this.#send(id, files.timeline(id), 'application/x-ndjson', request, response);
  }

  @Get(':id/thumbnail')
  @Described({
    summary: 'A small picture of a finished recording',
    path: ID,
    answer: { contentType: 'image/jpeg' },
    errors: ERRORS,
  })
  thumbnail(@Param('id') id: string, @Req() request: Request, @Res() response: Response): Promise<void> {
    return this.#send(id, files.thumbnail(id), 'image/jpeg', request, response);
  }

  @Delete(':id')
  @HttpCode(204)
  @Described({
    summary: 'Removes a recording that is over',
    path: ID,
    status: 204,
    errors: [...ERRORS, 'FORBIDDEN', 'CONFLICT'],
  })
  async remove(@Param('id') id: string, @Req() request: Request): Promise<void> {
    if (!this.access.origins.isOwnOrNone(request)) {
      throw new PollcastError('FORBIDDEN', 'Pages of another origin may not remove recordings.');
    }
    const recording = await this.#own(id, request);
    if (!isOver(recording)) throw new PollcastError('CONFLICT', 'It is still being made: stop it first.');
    await this.library.remove(id);
  }

  async #send(id: string, path: string, type: string, request: Request, response: Response): Promise<void> {
    await this.#own(id, request);
    const file = await this.storage.stat(path);
    if (!file) throw new PollcastError('NOT_FOUND', 'There is no such recording, or it is not finished.');
    const range = rangeOf(request.get('range'), file.size);
    response.setHeader('Accept-Ranges', 'bytes');
    response.setHeader('Cache-Control', 'private, max-age=3600');
    if (range === 'unsatisfiable') {
      response.status(416).setHeader('Content-Range', `bytes */${file.size}`).end();
      return;
    }
    response.type(type);
    const { start, end } = range ?? { start: 0, end: file.size - 1 };
    if (range) response.status(206).setHeader('Content-Range', `bytes ${start}-${end}/${file.size}`);
    response.setHeader('Content-Length', Math.max(0, end - start + 1));
    if (request.method === 'HEAD' || file.size === 0) {
      response.end();
      return;
    }
    const body = await this.storage.read(path, { start, end });
    try {
      await pipeline(body, response);
    } catch (error) {
      // A player that seeks goes away in the middle.
      if (!response.destroyed && !response.closed) throw error;
    }
  }

  /** Nobody learns from the answer whether somebody else's recording exists. */
  async #own(id: string, request: Request): Promise<Recording> {
    const identity = await this.access.authenticateRequest(request);
    const recording = await this.recordings.get(id);
    if (recording.owner === identity.user || (await this.access.isAdmin(request))) return recording;
    throw new PollcastError('NOT_FOUND', 'There is no such recording.');
  }
}
