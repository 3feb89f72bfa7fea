import fc from 'fast-check';
import type { Act, Scenario } from './acts.js';

const node = fc.nat(2);
const name = fc.nat(3);
const kind = <D extends string>(...kinds: D[]) => fc.constantFrom(...kinds);

const use = fc.record({ do: kind('ensure', 'ensure', 'hold', 'hold', 'unhold', 'move', 'stop'), node, name });
const wait = fc.record({ do: kind('wait'), ms: fc.constantFrom(5, 40, 150, 400, 900, 2_000) });
const lasting = fc.record({ do: kind('pause', 'cut', 'cutWithPulse'), node, ms: fc.integer({ min: 50, max: 6_000 }) });
const sudden = fc.record({ do: kind('crash', 'restart', 'restart', 'drain', 'link', 'blip'), node });
const step = fc.record({ do: kind('step'), node, ms: fc.integer({ min: -20_000, max: 20_000 }) });
const freeze = fc.record({ do: kind('freeze'), ms: fc.integer({ min: 50, max: 4_000 }) });
const wipe = fc.record({ do: kind('wipe') });
const blipAll = fc.record({ do: kind('blipAll') });

const act: fc.Arbitrary<Act> = fc.oneof(
  { arbitrary: use, weight: 8 },
  { arbitrary: wait, weight: 6 },
  { arbitrary: lasting, weight: 3 },
  { arbitrary: sudden, weight: 4 },
  { arbitrary: step, weight: 1 },
  { arbitrary: freeze, weight: 1 },
  { arbitrary: wipe, weight: 1 },
  { arbitrary: blipAll, weight: 1 },
);

/** What users do and what goes wrong, in any order; `seed` decides delays and what is lost. */
export const scenarios: fc.Arbitrary<Scenario> = fc.record({
  seed: fc.integer(),
  acts: fc.array(act, { minLength: 4, maxLength: 28 }),
});
