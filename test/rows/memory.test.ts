import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import { startPostgres, type TestPostgres } from '../support/postgres.js';
import { ask, createCounters, type Counter } from './counters.js';
import { RunnerBench } from './runner-bench.js';

jest.setTimeout(180_000);

let postgres: TestPostgres;
beforeAll(async () => {
  postgres = await startPostgres();
});
afterAll(() => postgres.stop());

setFlagsFromString('--expose_gc');
const collect = runInNewContext('gc') as () => void;

async function heap(): Promise<number> {
  // What was awaited in the last turns is garbage only after them.
  for (let turns = 0; turns < 3; turns++) {
    await new Promise((wake) => setImmediate(wake));
    collect();
  }
  return process.memoryUsage().heapUsed;
}

it('the processes of 10,000 rows give back what they took', async () => {
  const counters = await createCounters(postgres, 10_000);
  // Rows of 5 KB: what is kept of them must show beside the heap of a test runner.
  await ask(counters, `alter table counters disable trigger note`);
  await ask(counters, `update counters set note = repeat('x', 5000)`);
  const lap = async (): Promise<number> => {
    let last = false;
    // Down and up, until they are to end.
    const step = ({ value }: Counter) => ({ value: last ? 0 : value === 3 ? 2 : 3 });
    const bench = await RunnerBench.start(counters, { every: '1s' }, { step });
    await bench.fill(10_000);
    await bench.until('written', 10_000);
    const peak = await heap();
    last = true;
    await bench.idle();
    await bench.stop();
    await ask(counters, 'update counters set value = 3');
    return peak;
  };
  // Once for what is made once: compiled code, connections' buffers.
  await lap();
  const before = await heap();
  const peak = await lap();
  const after = await heap();
  expect(peak - before).toBeGreaterThan(40e6);
  expect(after).toBeLessThan(before * 1.1);
});
