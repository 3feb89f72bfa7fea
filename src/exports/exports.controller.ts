import { pipeline } from 'node:stream/promises';
import { Get, Inject, Param, Req, Res } from '@nestjs/common';
import type { Request, Response } from 'express';
import { z } from 'zod';
import { AccessService } from '../access/access.service.js';
import { LINK_PARAM } from '../access/links.js';
import { ApiController } from '../http/api.controller.js';
import { Described } from '../http/described.js';
import { STORAGE } from '../node.tokens.js';
import type { Storage } from '../storage/storage.js';
import { Exports } from './exports.js';
import { EXPORT_METRICS, type ExportMetrics } from './metrics.js';
import { begun, piecesOf } from './pieces.js';
import { fileNameOf, fileRoute, sizeOf, type Format } from './record.js';

const TYPES: Record<Format, string> = {
  csv: 'text/csv; charset=utf-8',
  xlsx: 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
  pdf: 'application/pdf',
};

@ApiController('api/exports')
export class ExportsController {
  constructor(
    @Inject(Exports) private readonly exports: Exports,
    @Inject(AccessService) private readonly access: AccessService,
    @Inject(STORAGE) private readonly storage: Storage,
    @Inject(EXPORT_METRICS) private readonly metrics: ExportMetrics,
  ) {}

  /** The finished file, for the user who asked for it: to all others there is none. Takes one range. */
  @Get(':id/file')
  @Described({
    summary: 'The file of a finished export, for the user who asked for it',
    details:
      'Any node serves it, until the export expires, is dismissed, or is replaced by the next one. A browser that can send no ' +
      'token asks with the link that `export:link` answers.',
    path: { id: 'id of the export, as `export:request` answered it' },
    query: z.object({
      [LINK_PARAM]: z.string().optional().describe('as `export:link` answered it, instead of a token'),
    }),
    headers: {
      Range: 'one range of bytes: 206 with that part',
      'If-Range': 'the `ETag` of before: the whole file when it is another one by now',
    },
    answer: {
      contentType: 'text/csv',
      description: 'csv: as COPY writes it, a header, then the rows, UTF-8. xlsx and pdf under their own types.',
    },
    others: { 206: 'The part that was asked for.', 416: 'The file has no such part.' },
    errors: ['UNAUTHENTICATED', 'NOT_FOUND', 'RATE_LIMITED', 'UNAVAILABLE'],
  })
  async file(@Param('id') id: string, @Req() request: Request, @Res() response: Response): Promise<void> {
    const user = await this.#userOf(request, id);
    await this.access.admitRequest({ user }, request);
    const record = await this.exports.finished(user, id);
    const size = sizeOf(record);
    const etag = `"${id}"`;
    const range = rangeOf(request, size, etag);
    if (range === 'beyond') {
      response.status(416).setHeader('Content-Range', `bytes */${size}`).end();
      return;
    }
    const { start, end } = range ?? { start: 0, end: size - 1 };
    const describe = (): void => {
      if (range) response.status(206).setHeader('Content-Range', `bytes ${start}-${end}/${size}`);
      response.setHeader('Content-Length', end - start + 1);
      response.setHeader('Content-Type', TYPES[record.format]);
      response.setHeader('Content-Disposition', `attachment; filename="${fileNameOf(record)}"`);
      response.setHeader('Cache-Control', 'private, no-cache');
      response.setHeader('Accept-Ranges', 'bytes');
      response.setHeader('ETag', etag);
    };
    if (request.method === 'HEAD') {
      describe();
      response.end();
      return;
    }
    const gone = new AbortController();
    response.on('close', () => gone.abort());
    try {
      // A storage that does not answer is an error with a code, as long as nothing has been said of a file.
      const chunks = await begun(piecesOf(this.storage, record.pieces, gone.signal, { start, end }));
      describe();
      await pipeline(this.#counted(chunks), response);
    } catch (error) {
      // Whoever has got half of it sees that by the length; whoever has left needs no answer.
      if (!response.headersSent && !gone.signal.aborted) throw error;
      response.destroy();
    }
  }

  /** By a link, else as everywhere. */
  async #userOf(request: Request, id: string): Promise<string> {
    const link = request.query[LINK_PARAM];
    const user = link === undefined ? undefined : this.access.links.userOf(fileRoute(id), link);
    return user ?? (await this.access.authenticateRequest(request)).user;
  }

  async *#counted(chunks: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
    for await (const chunk of chunks) {
      yield chunk;
      this.metrics.downloaded(chunk.length);
    }
  }
}

/** One range; of several none, which is allowed. A condition that does not hold makes it none, too. */
function rangeOf(request: Request, size: number, etag: string): { start: number; end: number } | 'beyond' | undefined {
  const condition = request.get('if-range');
  if (condition !== undefined && condition !== etag) return undefined;
  const ranges = request.range(size);
  if (ranges === -1) return 'beyond';
  if (!Array.isArray(ranges) || ranges.type !== 'bytes' || ranges.length !== 1) return undefined;
  return ranges[0];
}
