import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { slotOf } from '../../src/polling/cadence.js';
import { PolledChannels } from '../../src/polling/channels.js';
import { topicT } from './poller-bench.js';

const LINGER_MS = 5_000;
const key = (n: number): string => `t?n=${n}`;

type Step =
  | { readonly do: 'admit'; readonly n: number }
  | { readonly do: 'remove'; readonly n: number }
  | { readonly do: 'turn'; readonly slot: number; readonly slots: number };

const steps: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('admit' as const), n: fc.nat(30) }),
  fc.record({ do: fc.constant('remove' as const), n: fc.nat(30) }),
  fc.integer({ min: 1, max: 4 }).chain((slots) =>
    fc.record({
      do: fc.constant('turn' as const),
      slots: fc.constant(slots),
      slot: fc.nat(slots - 1),
    }),
  ),
);

describe('the channels of a poller', () => {
  it('whoever comes and goes, and however many slots there are: all of a slot are asked in its turn, and no others', () => {
    fc.assert(
      fc.property(fc.array(steps, { maxLength: 40 }), (history) => {
        const topic = topicT();
        const channels = new PolledChannels();
        let now = 0;
        for (const step of history) {
          now += topic.intervalMs;
          if (step.do === 'admit') channels.admit(topic, key(step.n), now);
          else if (step.do === 'remove') channels.remove([...channels].filter((one) => one.key === key(step.n)));
          else {
            const { slot, slots } = step;
            const { asked } = channels.due({ slot, slots, dueAt: now, intervalMs: topic.intervalMs }, now, LINGER_MS);
            const expected = [...channels].filter(({ place }) => slotOf(place, slots) === slot);
            expect(asked.map((one) => one.key).sort()).toEqual(expected.map((one) => one.key).sort());
          }
        }
      }),
    );
  });

  it('one that has gone and come again is asked once', () => {
    const topic = topicT();
    const channels = new PolledChannels();
    const turn = (dueAt: number) =>
      channels.due({ slot: 0, slots: 1, dueAt, intervalMs: topic.intervalMs }, dueAt, LINGER_MS).asked;
    channels.admit(topic, key(1), 0);
    expect(turn(topic.intervalMs)).toHaveLength(1);
    channels.remove([...channels]);
    expect(turn(2 * topic.intervalMs)).toHaveLength(0);
    const again = channels.admit(topic, key(1), 0);
    expect(turn(3 * topic.intervalMs)).toEqual([again]);
  });
});
