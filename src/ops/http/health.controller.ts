import { Get, Header, Inject, Res } from '@nestjs/common';
import type { Response } from 'express';
import { z } from 'zod';
import { ApiController } from '../../http/api.controller.js';
import { Described } from '../../http/described.js';
import { Metrics } from '../metrics.js';
import { Readiness } from '../readiness.js';

/** For those who watch over this node: whether it lives, whether to send it viewers, and its figures. */
@ApiController()
export class HealthController {
  constructor(
    @Inject(Readiness) private readonly readiness: Readiness,
    @Inject(Metrics) private readonly metrics: Metrics,
  ) {}

  /** Answers as long as the event loop turns: what is wrong with others is no reason to kill this process. */
  @Get('health/live')
  @Described({ summary: 'Whether the process turns', answer: z.object({ ok: z.literal(true) }) })
  @Header('Cache-Control', 'no-store')
  live(): { ok: true } {
    return { ok: true };
  }

  @Get('health/ready')
  @Described({
    summary: 'Whether viewers may be sent here',
    answer: z.object({ ok: z.literal(true) }),
    others: { 503: '`{ ok: false, reasons }`: not ready yet, draining, or something that it needs does not answer.' },
  })
  async ready(@Res() response: Response): Promise<void> {
    const reasons = await this.readiness.reasons();
    response.setHeader('Cache-Control', 'no-store');
    if (reasons.length === 0) response.json({ ok: true });
    else response.status(503).json({ ok: false, reasons });
  }

  @Get('metrics')
  @Described({ summary: "This node's figures, for Prometheus", answer: { contentType: 'text/plain' } })
  async scrape(@Res() response: Response): Promise<void> {
    const text = await this.metrics.text();
    response.setHeader('Cache-Control', 'no-store');
    response.type(this.metrics.contentType).send(text);
  }
}
