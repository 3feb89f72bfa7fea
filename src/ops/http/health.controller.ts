import { Controller, Get, Header, Inject, Res } from '@nestjs/common';
import type { Response } from 'express';
import { Metrics } from '../metrics.js';
import { Readiness } from '../readiness.js';

/** For those who watch over this node: whether it lives, whether to send it viewers, and its figures. */
@Controller()
export class HealthController {
  constructor(
    @Inject(Readiness) private readonly readiness: Readiness,
    @Inject(Metrics) private readonly metrics: Metrics,
  ) {}

  /** Answers as long as the event loop turns: what is wrong with others is no reason to kill this process. */
  @Get('health/live')
  @Header('Cache-Control', 'no-store')
  live(): { ok: true } {
    return { ok: true };
  }

  @Get('health/ready')
  async ready(@Res() response: Response): Promise<void> {
    const reasons = await this.readiness.reasons();
    response.setHeader('Cache-Control', 'no-store');
    if (reasons.length === 0) response.json({ ok: true });
    else response.status(503).json({ ok: false, reasons });
  }

  @Get('metrics')
  async scrape(@Res() response: Response): Promise<void> {
    const text = await this.metrics.text();
    response.setHeader('Cache-Control', 'no-store');
    response.type(this.metrics.contentType).send(text);
  }
}
