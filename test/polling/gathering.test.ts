import { describe, expect, it } from '@jest/globals';
import { PollerBench } from './poller-bench.js';
import { rows } from './scripted-source.js';

const bench = new PollerBench();

describe('a slow channel', () => {
  it('keeps nobody waiting for a slow channel, and asks nobody more slowly for it', async () => {
    const { watch, stop } = await bench.start();
    await bench.within(Promise.all([watch('t?n=1'), watch('t?n=2')]));
    const end = bench.source.slow('t?n=1');
    const told = (): string[] =>
      bench.rounds.flatMap(({ frames }) => frames.filter((f) => f.channel === 't?n=2').map((f) => f.rows));
    const before = told().length;
    for (const n of [1, 2, 3, 4]) {
      bench.source.results.set('t?n=2', rows(`[${n}]`));
      await bench.time.advance(1_000);
    }
    expect(told().slice(before)).toEqual(['[1]', '[2]', '[3]', '[4]']);
    bench.source.results.set('t?n=1', { kind: 'failed', code: 'QUERY_TIMEOUT', message: 'slow' });
    end();
    await bench.time.advance(1_000);
    expect(bench.factors).toEqual([]);
    expect(bench.rounds.flatMap(({ statuses }) => statuses).at(-1)).toMatchObject({
      channel: 't?n=1',
      state: 'failed',
    });
    await stop('retired');
  });
});
