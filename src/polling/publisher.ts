import type { PolledChannel } from './polled-channel.js';
import type { PollerParts } from './poller-parts.js';
import type { Findings, FramePosition, StatusChange } from './frames/frames.js';
import { toChange, type RoundResult } from './round.js';

/** What a poller tells the nodes: every word of it under its fence. */
export class Publisher {
  /** Wall clock ms of the last poll that the database answered. */
  polledAt = 0;
  /** Monotonic ms when something was told last. */
  lastTold = -Infinity;

  constructor(
    private readonly parts: Pick<PollerParts, 'context' | 'frames' | 'metrics' | 'tracer'>,
    private readonly topic: () => { readonly name: string; readonly retainMs: number },
    /** The store has lost all frames: they are to be published anew. */
    private readonly lost: () => void,
  ) {}

  /** @param askedAt wall clock ms at which the source was asked for it */
  async publish(result: RoundResult, askedAt: number): Promise<void> {
    const { context, metrics } = this.parts;
    const statuses = result.statuses.map((channel) => channel.status());
    if (result.changed.length === 0 && statuses.length === 0) return;
    const began = context.clock.monotonic();
    const positions = await this.#traced(result.changed.length, askedAt, () =>
      this.tell(result.changed.map(toChange), statuses),
    );
    metrics.phase?.(this.topic().name, 'publish', (context.clock.monotonic() - began) / 1000);
    if (!positions) return;
    let bytes = 0;
    let rows = 0;
    result.changed.forEach(({ channel, answer }, i) => {
      const position = positions[i];
      if (position) channel.published(position, answer.hash, answer.mark);
      bytes += answer.rows.length;
      rows += answer.count;
    });
    result.statuses.forEach((channel, i) => channel.told(statuses[i] as StatusChange));
    for (const { state, reason } of statuses) {
      if (state === 'failed') metrics.failed?.(this.topic().name, reason ?? 'QUERY_FAILED');
    }
    metrics.published(this.topic().name, result.changed.length, bytes);
    metrics.rows?.(this.topic().name, rows);
  }

  #traced<T>(channels: number, askedAt: number, publish: () => Promise<T>): Promise<T> {
    const { context, tracer } = this.parts;
    if (!tracer || channels === 0) return publish();
    const { name: poller, fence } = context;
    const round = { poller, fence, polledAt: this.polledAt, topic: this.topic().name, channels, askedAt };
    return tracer.publishing(round, publish);
  }

  /** Tells states alone, behind the scenes; what is not told now, the next round tells. */
  tellStatuses(untold: readonly PolledChannel[]): void {
    if (untold.length === 0) return;
    const statuses = untold.map((channel) => channel.status());
    this.tell([], statuses).then(
      (told) => told && untold.forEach((channel, i) => channel.told(statuses[i] as StatusChange)),
      (error: unknown) => this.parts.context.log.debug({ err: error }, 'statuses not told; the next round tells them'),
    );
  }

  /** One fenced publish. `null`: it was refused, because somebody else owns this poller now, or the frames were lost. */
  async tell(changed: Findings['changed'], statuses: readonly StatusChange[]): Promise<FramePosition[] | null> {
    const { context, frames } = this.parts;
    const findings = { polledAt: this.polledAt, changed, statuses };
    const positions = await frames.publish(context.name, context.fence, findings, { retainMs: this.topic().retainMs });
    if (positions) this.lastTold = context.clock.monotonic();
    else await this.#openAgain();
    return positions;
  }

  /** We were refused. Unless somebody else has opened the frames, the store has lost them. */
  async #openAgain(): Promise<void> {
    const { context, frames } = this.parts;
    if (!context.owns() || !(await frames.open(context.name, context.fence))) return;
    context.log.warn({ name: context.name }, 'the frames are lost; publishing them again');
    this.lost();
  }
}
