import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { regressions } from './regressions.js';
import { scenarios } from './scenarios.js';
import { World } from './world.js';

describe('the kernel in simulated clusters', () => {
  /** CI has 2,000 of them, on their own (.ci/run). More, and one of them again: `npm run sim -- --runs N --seed S`. */
  it('keeps its promises whatever is done to it, and settles afterwards', async () => {
    await fc.assert(
      fc.asyncProperty(scenarios, async (scenario) => {
        expect(await new World(scenario).run()).toEqual([]);
      }),
      // The same ones each time: a red run is then the change's fault. New ones are for run.ts.
      { numRuns: 200, seed: 20_261_121 },
    );
  }, 300_000);

  it.each(regressions)('does not fall again for seed $found: $what', async ({ scenario }) => {
    expect(await new World(scenario).run()).toEqual([]);
  });

  it('is the same each time that it is run', async () => {
    const [scenario] = fc.sample(scenarios, { numRuns: 1, seed: 4 });
    if (!scenario) throw new Error('no scenario');
    const told = await Promise.all(
      [1, 2].map(async () => {
        const lines: string[] = [];
        const note = (_fields: object, message: string): void => void lines.push(message);
        const world = new World(scenario, { debug: note, info: note, warn: note, error: note });
        lines.push(...(await world.run()), String(world.time.elapsed));
        return lines;
      }),
    );
    expect(told[0]?.length).toBeGreaterThan(1);
    expect(told[0]).toEqual(told[1]);
  });
});
