import { setTimeout as sleep } from 'node:timers/promises';
import { figure, type Bench, type Goal, type Scenario, type Table } from '../support/bench.js';
import { cpuOf } from '../support/cpu.js';
import type { HubNode } from '../support/node.js';
import { projectRoot } from '../support/project.js';
import { cpuOfAll, memoryOfAll, RecorderBench, type Desk } from '../support/recorder.js';
import { median } from '../support/stats.js';

/** More of the page's clock than this is no sync any more. */
const MOST_LAG_MS = 250;
const MOST_LOST_SECONDS = 1;
const SLOTS = 12;
/** Pictures a second that a page draws, and how many of it are recorded at once. */
const BUSY = { path: '', drawn: 60 };
const CALM = { path: 'calm', drawn: 10 };

type Ends = { browser: number; encoder: number; node: HubNode };

const FAULTS: readonly (readonly [string, (ends: Ends) => unknown])[] = [
  ['browser killed', ({ browser }) => process.kill(browser, 'SIGKILL')],
  ['browser hangs', ({ browser }) => process.kill(browser, 'SIGSTOP')],
  ['encoder killed', ({ encoder }) => process.kill(encoder, 'SIGKILL')],
  ['encoder hangs', ({ encoder }) => process.kill(encoder, 'SIGSTOP')],
  ['node stopped (SIGTERM)', ({ node }) => node.stop()],
  ['node killed (SIGKILL)', ({ node }) => node.kill('SIGKILL')],
];

export const recordings: Scenario = {
  name: 'recordings',
  about: 'recordings by real browsers: start, CPU and memory, how many at once on this machine, what each fault costs',
  apart: true,
  async run(bench) {
    const recorder = await RecorderBench.start(bench);
    const cost = await costs(bench, recorder);
    const { table: many, most } = await atOnce(bench, recorder);
    const { table: faults, lost } = await afterFaults(bench, recorder);
    const goals: Goal[] = [
      { goal: 'recordings: 2 at once in sync on this machine', seen: `${most}`, met: most >= 2 },
      {
        goal: `recordings: SIGTERM of the node loses ≤ ${MOST_LOST_SECONDS} s`,
        seen: `${figure(lost)} s`,
        met: lost <= MOST_LOST_SECONDS,
      },
    ];
    return { tables: [cost, many, faults], goals };
  },
};

/** One recording at a time, of the demo's dashboard: as it is used. */
async function costs(bench: Bench, recorder: RecorderBench): Promise<Table> {
  const postgres = await bench.postgres();
  const node = await bench.node({
    ...recorder.env,
    ...{ DATABASE_URL: postgres.url, DEMO: 'on', TOPICS_DIR: `${projectRoot}/topics` },
    ...{ RECORDER_SLOTS: '1', RECORDER_SIZE: '1280x720' },
  });
  const desk = await recorder.connect(node);
  const starts: number[] = [];
  const ends: number[] = [];
  for (let round = 0; round < bench.size(3, 2, 10); round++) {
    let began = performance.now();
    const recording = heard(desk, 'recording');
    const id = await desk.start('/');
    await recording;
    starts.push((performance.now() - began) / 1_000);
    await desk.made(id, 1);
    began = performance.now();
    const ready = heard(desk, 'ready');
    await desk.ask('recording:stop', { id });
    await ready;
    ends.push((performance.now() - began) / 1_000);
  }
  const quiet = await load(bench, node, []);
  const id = await desk.start('/');
  await desk.made(id, 2);
  const { browser, encoder } = recorder.processes(id);
  const busy = await load(bench, node, [browser, encoder]);
  const memory = [browser, encoder].map((pids) => memoryOfAll(pids) / 2 ** 20);
  const { segments } = await desk.one(id);
  await desk.finish(id);
  bench.say(`a dashboard: recorded after ${figure(median(starts))} s, ${segments} segments so far`);
  return {
    title: 'recordings: one of the demo’s dashboard, 1280 by 720',
    rows: [
      {
        'recorded after s': figure(median(starts)),
        'at most': figure(Math.max(...starts)),
        'ready after stop s': figure(median(ends)),
        'browser cores': figure(busy.others[0] ?? NaN),
        'encoder cores': figure(busy.others[1] ?? NaN),
        'hub cores more': figure(busy.hub - quiet.hub),
        'browser MB': figure(memory[0] ?? NaN),
        'encoder MB': figure(memory[1] ?? NaN),
      },
    ],
  };
}

/** Resolves when the hub tells of this state the next time. */
function heard(desk: Desk, state: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const listen = (recording: { state: string; error?: { message: string } }): void => {
      if (recording.state === 'error') reject(new Error(`a recording failed: ${recording.error?.message}`));
      if (recording.state !== state && recording.state !== 'error') return;
      desk.socket.off('recording', listen);
      resolve();
    };
    desk.socket.on('recording', listen);
  });
}

/** Cores in use over some seconds: of the hub, and of some groups of processes. */
async function load(
  bench: Bench,
  node: HubNode,
  groups: readonly (readonly number[])[],
): Promise<{ hub: number; others: number[] }> {
  const read = (): number[] => [cpuOf(node.pid), ...groups.map(cpuOfAll)];
  const began = performance.now();
  const before = read();
  await sleep(bench.size(6_000, 3_000));
  const seconds = (performance.now() - began) / 1_000;
  const [hub = NaN, ...others] = read().map((cpu, i) => (cpu - (before[i] ?? NaN)) / seconds);
  return { hub, others };
}

/** More and more at once, until one is out of step. */
async function atOnce(bench: Bench, recorder: RecorderBench): Promise<{ table: Table; most: number }> {
  const node = await bench.node({
    ...recorder.env,
    ...{ DATABASE_URL: (await bench.postgres()).url, RECORDER_SLOTS: String(SLOTS) },
    TOPICS_DIR: await bench.topics({ 'bench/idle.sql': 'select 1 as at' }),
  });
  const desk = await recorder.connect(node);
  const rows: Record<string, number | string>[] = [];
  let most = 0;
  for (const { path, drawn } of bench.size([BUSY], [BUSY], [BUSY, CALM])) {
    for (const count of bench.size([4, 8], [1, 2], [1, 2, 4, 6, 8, 10, 12])) {
      const ids = await Promise.all(Array.from({ length: count }, () => desk.start(`${recorder.page}${path}`)));
      for (const id of ids) await desk.made(id, 1);
      const pids = ids.flatMap((id) => Object.values(recorder.processes(id)).flat());
      const { hub, others } = await load(bench, node, [pids]);
      await Promise.all(ids.map((id) => desk.finish(id)));
      const seen = await Promise.all(ids.map((id) => recorder.seenIn(desk, id)));
      const lag = Math.max(...seen.map(({ lagMs }) => lagMs));
      const gaps = seen.filter(({ gap }) => gap > 0).length;
      if (path === BUSY.path && lag <= MOST_LAG_MS && gaps === 0) most = Math.max(most, count);
      rows.push({
        'page draws/s': drawn,
        'at once': count,
        cores: figure(hub + (others[0] ?? NaN)),
        'p90 ms off': figure(lag),
        'longest without a picture s': figure(Math.max(...seen.map(({ longest }) => longest))),
        'with gaps': gaps,
      });
      bench.say(`${count} at once of a page that draws ${drawn}/s: ${figure(lag)} ms off`);
    }
  }
  return { table: { title: 'recordings: at once on one node, 640 by 360, everything on this machine', rows }, most };
}

async function afterFaults(bench: Bench, recorder: RecorderBench): Promise<{ table: Table; lost: number }> {
  const env = {
    ...recorder.env,
    ...{ DATABASE_URL: (await bench.postgres()).url, REDIS_URL: (await bench.redis()).url, RECORDER_SLOTS: '2' },
    TOPICS_DIR: await bench.topics({ 'bench/idle.sql': 'select 1 as at' }),
  };
  const nodes = [await bench.node(env), await bench.node(env)];
  const rows: Record<string, number | string>[] = [];
  let lost = NaN;
  for (const [what, hurt] of FAULTS) {
    const [first] = nodes;
    if (!first) throw new Error('no node is left');
    const id = await (await recorder.connect(first)).start(`${recorder.page}${CALM.path}`);
    const before = await (await recorder.connect(first)).until(id, ({ segments }) => segments > 0);
    const node = nodes.find(({ name }) => name === before.node) ?? first;
    const desk = await recorder.connect(nodes.find((other) => other !== node) ?? first);
    const ends = { ...recorder.mainOf(id), node };
    await hurt(ends);
    await replaced(recorder, id, ends);
    await desk.made(id, (await desk.one(id)).seconds + 2);
    await desk.finish(id);
    const seen = await recorder.seenIn(desk, id);
    if (what.includes('SIGTERM')) lost = seen.gap;
    rows.push({
      fault: what,
      'gap s, by the timeline': figure(seen.gap),
      'by the clock': figure(seen.missing),
      'longest without a new picture s': figure(seen.longest),
    });
    bench.say(`${what}: a gap of ${figure(seen.gap)} s`);
    if (!node.alive()) nodes.splice(nodes.indexOf(node), 1, await bench.node(env));
  }
  return { table: { title: 'recordings: after each fault, a page that draws 10/s', rows }, lost };
}

async function replaced(recorder: RecorderBench, id: string, before: Ends): Promise<void> {
  const deadline = performance.now() + 60_000;
  for (;;) {
    const { browser, encoder } = recorder.processes(id);
    const isNew = !browser.includes(before.browser) && !encoder.includes(before.encoder);
    if (isNew && browser.length > 0 && encoder.length > 0) return;
    if (performance.now() > deadline) throw new Error(`recording ${id} does not go on`);
    await sleep(100);
  }
}
