import { afterAll, afterEach, beforeAll, describe, it, jest } from '@jest/globals';
import pg from 'pg';
import { eventually } from '../support/eventually.js';
import { startPostgres, type TestPostgres } from '../support/postgres.js';
import { startProxy, type TestProxy } from '../support/proxy.js';
import { ask, createCounters, expectSteps, type Counters } from './counters.js';
import { RunnerBench } from './runner-bench.js';

jest.setTimeout(180_000);

let postgres: TestPostgres;
let proxy: TestProxy;
beforeAll(async () => {
  postgres = await startPostgres();
  proxy = await startProxy(postgres.port);
});
afterAll(async () => {
  await proxy.stop();
  await postgres.stop();
});

let bench: RunnerBench | undefined;
afterEach(async () => {
  proxy.become('pass');
  await bench?.stop();
  bench = undefined;
});

/** Its runner reaches the database by the proxy, the test directly. */
async function start(rows: number, options = {}): Promise<Counters> {
  const counters = await createCounters(postgres, rows);
  const url = new URL(counters.database.url);
  url.port = String(proxy.port);
  bench = await RunnerBench.start({ database: { ...counters.database, url: url.href } }, options);
  return counters;
}

const somethingWaits = (of: Counters) =>
  eventually(async () => (await ask(of, 'select from pg_locks where not granted')).length > 0, {
    what: 'a statement that waits',
  });

describe('row workers without their database', () => {
  it('go on with what was due when it is back', async () => {
    const counters = await start(100, { every: '100ms' });
    await bench!.fill(100);
    await bench!.until('written', 100);
    await postgres.down();
    await eventually(
      () => bench!.slices.flatMap(({ rows }) => [...rows.values()]).every(({ state }) => state === 'writing'),
      {
        what: 'all rows to wait for the database',
        deadlineMs: 60_000,
      },
    );
    await postgres.up();
    await bench!.idle();
    await expectSteps(counters, 100, 3);
  });

  it('take no step twice when a write was made, and its answer lost', async () => {
    const counters = await start(40, { every: '100ms' });
    // Holds up the second step of one row inside the database, as a trigger of the user's might.
    await ask(
      counters,
      `create function hold_up() returns trigger language plpgsql as
         $$ begin if new.id = 17 and new.value = 1 then perform pg_advisory_xact_lock_shared(1); end if; return new; end $$;
       create trigger held before update on counters for each row execute function hold_up()`,
    );
    const holder = await holdGate(counters);
    await bench!.fill(40);
    await somethingWaits(counters);
    // The statement goes on without anybody to tell.
    proxy.reset();
    await bench!.until('busy', 1);
    await holder.release();
    await bench!.idle();
    await expectSteps(counters, 40, 3);
  });

  it('are not stopped by a connection that is lost between two writes', async () => {
    const counters = await start(40, { every: '100ms' });
    await bench!.fill(40);
    for (let times = 1; times <= 2; times++) {
      await bench!.until('written', 40 * times);
      proxy.reset();
    }
    await bench!.idle();
    await expectSteps(counters, 40, 3);
  });
});

/** Takes the advisory lock that the trigger waits for. */
async function holdGate(of: Counters): Promise<{ release(): Promise<void> }> {
  const client = new pg.Client({ connectionString: of.database.url });
  client.on('error', () => undefined);
  await client.connect();
  await client.query('select pg_advisory_lock(1)');
  return {
    release: async () => {
      await client.query('select pg_advisory_unlock(1)');
      await client.end();
    },
  };
}
