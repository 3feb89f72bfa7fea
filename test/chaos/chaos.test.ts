import { expect, test } from '@jest/globals';
import { ChaosRun } from './chaos-run.js';
import { FAULTS } from './faults.js';
import { ofKind } from './history.js';

const SEED = 20_261_125;

/** For as long as one likes, and from another seed: `npm run chaos -- --minutes 30 --seed S`. */
test(`three nodes, and what goes wrong around them from seed ${SEED}: no promise is broken`, async () => {
  const lines: string[] = [];
  const { history, violations, figures } = await ChaosRun.run({
    seed: SEED,
    rounds: 8,
    hangs: 2,
    races: 40,
    say: (line) => lines.push(line),
  });
  console.log([...lines, ...Object.entries(figures).map(([what, figure]) => `${what}: ${figure}`)].join('\n'));
  expect(violations).toEqual([]);
  // It has seen what it judges.
  const faults = ofKind(history, 'fault');
  expect(faults.length).toBeGreaterThanOrEqual(10);
  expect(FAULTS.map(({ name }) => name)).toEqual(expect.arrayContaining(faults.map(({ name }) => name)));
  const kinds = ['status', 'lease', 'mint', 'settled', 'final'] as const;
  expect(kinds.filter((kind) => ofKind(history, kind).length === 0)).toEqual([]);
  expect(ofKind(history, 'frame').length).toBeGreaterThan(200);
  expect(ofKind(history, 'query').length).toBeGreaterThan(100);
  expect(ofKind(history, 'claim').length).toBeGreaterThan(3);
}, 300_000);
