import { expect, test } from '@jest/globals';
import { ChaosRun } from './chaos-run.js';
import { FAULTS } from './faults.js';
import { ofKind } from './history.js';

const SEED = 20_261_125;
/** Every kind of them happens, whatever the seed chooses besides. */
const EACH = [
  ...['kill', 'stop', 'hang', 'slow queries', 'clock steps', 'node cut from Redis', 'Redis freezes'],
  ...['CLIENT KILL TYPE pubsub', 'all links lost'],
];

/** For as long as one likes, and from another seed: `npm run chaos -- --minutes 30 --seed S`. */
test(`three nodes, and what goes wrong around them from seed ${SEED}: no promise is broken`, async () => {
  const lines: string[] = [];
  const { history, violations, figures } = await ChaosRun.run({
    seed: SEED,
    each: EACH,
    rounds: 2,
    hangs: 1,
    races: 40,
    say: (line) => lines.push(line),
  });
  console.log([...lines, ...Object.entries(figures).map(([what, figure]) => `${what}: ${figure}`)].join('\n'));
  expect(violations).toEqual([]);
  // It has seen what it judges.
  const faults = ofKind(history, 'fault');
  const possible = EACH.filter(
    (name) => name !== 'all links lost' || !lines.some((line) => line.startsWith('no link')),
  );
  expect(faults.map(({ name }) => name)).toEqual(expect.arrayContaining(possible));
  expect(FAULTS.map(({ name }) => name)).toEqual(expect.arrayContaining(faults.map(({ name }) => name)));
  const kinds = ['status', 'lease', 'grant', 'kept', 'mint', 'settled', 'final'] as const;
  expect(kinds.filter((kind) => ofKind(history, kind).length === 0)).toEqual([]);
  expect(ofKind(history, 'frame').length).toBeGreaterThan(200);
  expect(ofKind(history, 'query').length).toBeGreaterThan(100);
  expect(ofKind(history, 'claim').length).toBeGreaterThan(3);
}, 300_000);
