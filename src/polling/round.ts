import { PollcastError } from '../errors.js';
import type { Findings } from './frames/frames.js';
import type { PolledChannel } from './polled-channel.js';
import type { Answer } from './source.js';

type Rows = Extract<Answer, { kind: 'rows' }>;

export interface RoundResult {
  readonly changed: readonly { channel: PolledChannel; answer: Rows }[];
  /** Channels whose state the nodes do not know yet. */
  readonly statuses: readonly PolledChannel[];
  readonly outcomes: ReadonlyMap<Answer['kind'], number>;
  /** The database itself did not answer. */
  readonly outage: boolean;
}

/** A changed channel as the frame store takes it. */
export function toChange({ channel, answer }: RoundResult['changed'][number]): Findings['changed'][number] {
  const { key, above } = channel;
  return { channel: key, rows: answer.rows, hash: answer.hash, mark: answer.mark, above: above ?? undefined };
}

/** Works a round's answers into its channels: what has changed, and how each fares now. */
export function settle(
  channels: readonly PolledChannel[],
  answers: readonly Answer[],
  at: { now: number; mono: number; intervalMs: number; slow: boolean },
): RoundResult {
  const changed: { channel: PolledChannel; answer: Rows }[] = [];
  const counts: Record<Answer['kind'], number> = { rows: 0, unchanged: 0, failed: 0, outage: 0 };
  channels.forEach((channel, i) => {
    const answer = answers[i] ?? { kind: 'outage', message: 'no answer' };
    counts[answer.kind] += 1;
    switch (answer.kind) {
      case 'rows':
        channel.succeeded(at.now, at.slow);
        // Published only when it moved: the source compares hashes too, but not on a channel's first answer.
        if (!channel.position || answer.hash !== channel.hash) changed.push({ channel, answer });
        else channel.mark = answer.mark;
        break;
      case 'unchanged':
        channel.succeeded(at.now, at.slow);
        // Its result was forgotten while it was asked: the next answer must come whole, mark or no mark.
        if (channel.hash !== undefined) channel.mark = answer.mark ?? channel.mark;
        break;
      case 'failed':
        channel.failed(new PollcastError(answer.code, answer.message), at.now, at.mono, at.intervalMs);
        break;
      case 'outage':
        channel.stale(new PollcastError('UNAVAILABLE', 'the database does not answer; try again'), 'database', at.now);
        break;
    }
  });
  const outcomes = new Map(Object.entries(counts).filter(([, count]) => count > 0)) as RoundResult['outcomes'];
  return { changed, statuses: channels.filter((channel) => channel.untold), outcomes, outage: counts.outage > 0 };
}
