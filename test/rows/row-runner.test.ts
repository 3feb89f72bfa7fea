import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import pg from 'pg';
import { done, type RowSteps, type RowWorkerOptions } from '../../src/rows/row-worker.decorator.js';
import { eventually } from '../support/eventually.js';
import { startPostgres, type TestPostgres } from '../support/postgres.js';
import { allAtZero, ask, createCounters, expectSteps, type Counter, type Counters } from './counters.js';
import { RunnerBench } from './runner-bench.js';

jest.setTimeout(180_000);

let postgres: TestPostgres;
beforeAll(async () => {
  postgres = await startPostgres();
});
afterAll(() => postgres.stop());

let counters: Counters;
let bench: RunnerBench | undefined;
const clients: pg.Client[] = [];
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.end()));
  await bench?.stop();
  bench = undefined;
});

async function start(
  rows: number,
  steps?: RowSteps<Counter>,
  options: Partial<RowWorkerOptions> = {},
): Promise<RunnerBench> {
  counters = await createCounters(postgres, rows);
  return (bench = await RunnerBench.start(counters, options, steps));
}

async function other(): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: counters.database.url });
  client.on('error', () => undefined);
  await client.connect();
  clients.push(client);
  return client;
}

const down: RowSteps<Counter> = { step: ({ value }) => ({ value: value - 1 }) };
const valueOf = async (id: number) =>
  (await ask<{ value: number }>(counters, `select value from counters where id = ${id}`))[0]?.value;
const stepsOf = (id: number) =>
  ask(counters, `select before, after from changes where id = ${id} order by n`).then((rows) =>
    rows.map(({ before, after }) => `${String(before)}>${String(after)}`),
  );

describe('the processes of rows', () => {
  it('write those that are due together in one statement, and end when their rows do not match any more', async () => {
    const { fill, groups, idle } = bound(await start(500));
    await fill(500);
    await idle();
    await expectSteps(counters, 500);
    expect(groups[0]).toBe(500);
    expect(groups.reduce((a, b) => a + b, 0)).toBe(1_500);
  });

  it('are as many as were asked for, and the others come when there is room', async () => {
    const { fill, runner, idle } = bound(await start(100, down, { every: '500ms' }));
    await fill(60);
    expect(runner.running).toBe(60);
    await fill(0);
    expect(runner.running).toBe(60);
    await fill(100);
    expect(runner.running).toBe(100);
    await idle();
    await expectSteps(counters, 100);
  });

  it('crash alone: one whose step throws starts again by itself, is told of, and goes on when it can', async () => {
    let poison = true;
    const crashed: number[] = [];
    const steps: RowSteps<Counter> = {
      step: ({ id, value }) => {
        if (id === 7 && poison) {
          crashed.push(Date.now());
          throw new Error('the seventh');
        }
        return { value: value - 1 };
      },
    };
    const { fill, runner, slices, until, idle } = bound(await start(50, steps));
    await fill(50);
    await eventually(() => runner.running === 1, { what: 'all others to end' });
    await until('crashed', 3);
    expect(slices.flatMap((slice) => runner.failing(slice))).toEqual([
      { key: '7', crashes: expect.any(Number), failed: false, error: 'the seventh' },
    ]);
    expect(await valueOf(7)).toBe(3);
    poison = false;
    await idle();
    await expectSteps(counters, 50);
  });

  it('back off when they crash again and again, until they are failed and let be for a while', async () => {
    const steps: RowSteps<Counter> = { step: () => Promise.reject(new Error('never')) };
    const { fill, runner, slices } = bound(await start(1, steps));
    await fill(1);
    const [failing] = await eventually(() => {
      const all = slices.flatMap((slice) => runner.failing(slice));
      return all[0]?.failed ? all : null;
    });
    expect(failing).toMatchObject({ key: '1', crashes: expect.any(Number), error: 'never' });
  });

  it('lose only the write that the database refuses: the others of the group are written', async () => {
    const { fill, runner, slices, groups, until, idle } = bound(await start(64));
    await ask(counters, 'alter table counters add constraint odd check (id not in (5, 40) or value <> 1)');
    await fill(64);
    await eventually(() => runner.running === 2, { what: 'all others to end' });
    await until('crashed', 3);
    expect(
      slices.flatMap((slice) => runner.failing(slice)).map(({ key, error }) => [key, error.includes('odd')]),
    ).toEqual(
      expect.arrayContaining([
        ['5', true],
        ['40', true],
      ]),
    );
    expect([await stepsOf(5), await stepsOf(40)]).toEqual([['3>2'], ['3>2']]);
    expect(groups[0]).toBe(64);
    await ask(counters, 'alter table counters drop constraint odd');
    await idle();
    await expectSteps(counters, 64);
  });

  it('are told what their step returned wrong', async () => {
    const wrong: Record<number, unknown> = { 1: { valu: 1 }, 2: 5, 3: { id: 9 }, 4: { value: 'many' } };
    const steps: RowSteps<Counter> = {
      step: ({ id, value }) => wrong[id] ?? { value: value - 1 },
    };
    const { fill, runner, slices, until } = bound(await start(6, steps));
    await fill(6);
    await until('crashed', 4);
    await eventually(() => runner.running === 4);
    const told = slices.flatMap((slice) => runner.failing(slice)).sort((a, b) => Number(a.key) - Number(b.key));
    expect(told.map(({ error }) => error)).toEqual([
      expect.stringContaining('no column valu: did you mean `value`?'),
      'expected step to return changes or done, got number',
      'id is the key: a step can not change it',
      expect.stringContaining('invalid input syntax for type integer'),
    ]);
  });

  it('step again from what the row is now when somebody else has changed it meanwhile', async () => {
    let meddled = false;
    const steps: RowSteps<Counter> = {
      step: async ({ id, value }) => {
        if (id === 2 && value === 2 && !meddled) {
          meddled = true;
          await ask(counters, 'update counters set value = 5 where id = 2');
        }
        return { value: value - 1 };
      },
    };
    const { fill, seen, idle } = bound(await start(3, steps));
    await fill(3);
    await idle();
    expect(await stepsOf(2)).toEqual(['3>2', '2>5', '5>4', '4>3', '3>2', '2>1', '1>0']);
    expect(await stepsOf(1)).toEqual(['3>2', '2>1', '1>0']);
    expect(seen('conflict')).toBe(1);
  });

  it('end when somebody else deletes the row, or it does not match any more', async () => {
    const steps: RowSteps<Counter> = {
      step: async ({ id, value }) => {
        if (id === 1) await ask(counters, 'delete from counters where id = 1');
        if (id === 2) await ask(counters, 'update counters set value = -7 where id = 2');
        return { value: value - 1 };
      },
    };
    const { fill, seen, idle } = bound(await start(3, steps));
    await fill(3);
    await idle();
    expect([await valueOf(1), await valueOf(2), await valueOf(3)]).toEqual([undefined, -7, 0]);
    expect(seen('gone')).toBe(2);
  });

  it('notice at a look what others did while they slept', async () => {
    const told: string[] = [];
    const steps: RowSteps<Counter> = {
      step: ({ id, note }) => {
        told.push(`${id} ${note}`);
      },
    };
    const { fill, runner } = bound(await start(3, steps, { every: '400ms', look: '100ms' }));
    await fill(3);
    await ask(counters, `delete from counters where id = 1`);
    await ask(counters, `update counters set value = 0 where id = 2`);
    await ask(counters, `update counters set note = 'changed' where id = 3`);
    await eventually(async () => {
      await fill(0);
      return runner.running === 1;
    });
    await eventually(() => told.includes('3 changed'));
    expect(await stepsOf(3)).toEqual([]);
  });

  it('do not wait for a row that somebody holds a lock on', async () => {
    const { fill, runner, until, idle } = bound(await start(20));
    const holder = await other();
    await holder.query('begin');
    await holder.query('select from counters where id = 9 for update');
    await fill(20);
    await eventually(() => runner.running === 1, { what: 'all others to end' });
    await until('busy', 2);
    await holder.query('rollback');
    await idle();
    await expectSteps(counters, 20);
  });

  it('end with a last write, without one, or go on without one', async () => {
    let taken = 0;
    const steps: RowSteps<Counter> = {
      step: ({ id }) => {
        if (id === 1) return done;
        if (id === 2) return done({ value: 99 });
        taken += 1;
        return taken < 4 ? {} : done({ note: null });
      },
    };
    const { fill, seen, idle } = bound(await start(3, steps));
    await fill(3);
    await idle();
    expect([await valueOf(1), await valueOf(2), await valueOf(3)]).toEqual([3, 99, 3]);
    expect([seen('written'), seen('nothing')]).toEqual([2, 4]);
  });

  it('are not held up by one whose step takes long', async () => {
    let finish!: () => void;
    const long = new Promise<void>((resolve) => (finish = resolve));
    const steps: RowSteps<Counter> = {
      step: async ({ id, value }) => {
        if (id === 4) await long;
        return { value: value - 1 };
      },
    };
    const { fill, runner, idle } = bound(await start(10, steps));
    await fill(10);
    await eventually(() => runner.running === 1);
    finish();
    await idle();
    await expectSteps(counters, 10);
  });

  it('start anywhere within the first interval when they are to be spread', async () => {
    const { fill, groups, idle } = bound(await start(10, down, { spread: true, every: '1s' }));
    const began = Date.now();
    await fill(10);
    await eventually(() => groups.length > 0);
    // `random` is 0.5 here. Never sooner; how much later is the machine's affair.
    expect(Date.now() - began).toBeGreaterThanOrEqual(500);
    await idle();
    await expectSteps(counters, 10);
  });

  it('are not written any more once their slices have left, nor without a lease', async () => {
    const { fill, leave, runner } = bound(await start(30));
    await fill(30);
    await leave();
    const then = await ask(counters, 'select count(*)::int as n from changes');
    expect(runner.running).toBe(0);
    bench!.owns = false;
    await bench!.stop();
    bench = await RunnerBench.start(counters);
    bench.owns = false;
    await bench.fill(30);
    await eventually(() =>
      bench!.slices.every(({ rows }) => [...rows.values()].every(({ state }) => state === 'writing')),
    );
    expect(await ask(counters, 'select count(*)::int as n from changes')).toEqual(then);
  });

  it('tell their slice when another owner has raised its fence, and write nothing', async () => {
    const first = await start(30);
    const second = await RunnerBench.start(counters);
    try {
      await first.fill(30);
      await eventually(() => first.lost.length > 0);
      expect(first.lost[0]).toMatchObject({ code: 'CONFLICT' });
      expect(await ask(counters, 'select from changes')).toEqual([]);
      await second.fill(30);
      await allAtZero(counters);
      await expectSteps(counters, 30);
    } finally {
      await second.stop();
    }
  });
});

/** Its methods, to be taken apart. */
function bound(of: RunnerBench) {
  return {
    ...{ runner: of.runner, slices: of.slices, groups: of.groups },
    fill: (most: number) => of.fill(most),
    idle: () => of.idle(),
    leave: () => of.leave(),
    seen: (outcome: Parameters<RunnerBench['seen']>[0]) => of.seen(outcome),
    until: (outcome: Parameters<RunnerBench['seen']>[0], times: number) => of.until(outcome, times),
  };
}
