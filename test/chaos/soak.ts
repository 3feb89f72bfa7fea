/**
 * A cluster under viewers that come and go, for long: does anything grow?
 *
 *     npm run soak -- --minutes 30 --viewers 90
 *
 * Three nodes behind nginx. Every ten seconds one viewer in ten leaves (half of them without a word) and another comes.
 * Prints, for each node and for the cluster, where each figure began and ended, and its slope after a warm-up of a fifth
 * of the time. Exit code 1 when a node ended, complained, or a viewer saw something go back.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { complaintsIn } from '../cluster/hub.js';
import { ChaosViewer } from './chaos-viewer.js';
import { check } from './checker.js';
import { pause } from './faults.js';
import { slopePerHour, type Sample } from './slope.js';
import { Stage, TERMS, WATCHED } from './stage.js';

const EVERY_MS = 10_000;

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '5' }, viewers: { type: 'string', default: '90' } },
});
const [minutes, wanted] = [Number(values.minutes), Number(values.viewers)];
if (!(minutes > 0) || !Number.isInteger(wanted) || wanted < 10) {
  console.error(`expected --minutes above 0 and --viewers of at least 10; got ${values.minutes} and ${values.viewers}`);
  process.exit(2);
}

const series = new Map<string, Sample[]>();
const began = performance.now();
const stage = await Stage.open();
const viewers: ChaosViewer[] = [];
let born = 0;
let violations: string[] = [];

/** What a node's own metrics say of it. */
async function metrics(url: string): Promise<Map<string, number>> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]),
  );
}

const sum = (all: Map<string, number>, pattern: RegExp): number =>
  [...all].reduce((total, [name, value]) => (pattern.test(name) ? total + value : total), 0);

function note(name: string, value: number): void {
  const list = series.get(name) ?? [];
  series.set(name, list);
  list.push({ at: (performance.now() - began) / 1_000, value });
}

async function sample(): Promise<void> {
  for (const { node } of stage.slots) {
    const status = readFileSync(`/proc/${node.pid}/status`, 'utf8');
    note(`${node.name} memory, MB`, Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1_024);
    note(`${node.name} open files`, readdirSync(`/proc/${node.pid}/fd`).length);
    const told = await metrics(node.url);
    note(`${node.name} heap, MB`, sum(told, /nodejs_heap_size_used_bytes/) / 1_048_576);
    note(`${node.name} handles`, sum(told, /nodejs_active_handles_total/));
    note(`${node.name} timers`, sum(told, /nodejs_active_resources\{.*type="Timeout"/));
  }
  note('Redis keys', await stage.lookout.client.dbsize());
  const info = await stage.lookout.client.info('memory');
  note('Redis memory, MB', Number(/used_memory:(\d+)/.exec(info)?.[1]) / 1_048_576);
  const [row] = await stage.postgres.query<{ n: string }>(
    `select count(*) as n from pg_stat_activity where backend_type = 'client backend' and application_name like 'pollcast:%'`,
  );
  note('Postgres connections', Number(row?.n));
}

function join(): void {
  const topic = WATCHED[born % WATCHED.length] as string;
  const params = topic === 'parted' ? { k: born % 10 } : {};
  viewers.push(new ChaosViewer(`v${born++}`, stage.url, topic, params, stage.recorder));
}

function judge(): void {
  stage.readLogs();
  violations = [...violations, ...check(stage.recorder.events, TERMS)];
}

try {
  while (viewers.length < wanted) join();
  await pause(EVERY_MS);
  while (performance.now() - began < minutes * 60_000) {
    for (let i = 0; i < wanted / 10; i++) {
      const [leaver] = viewers.splice(Math.floor(Math.random() * viewers.length), 1);
      leaver?.close({ cut: Math.random() < 0.5 });
      join();
    }
    await pause(EVERY_MS);
    await sample();
    stage.readLogs();
    const memory = stage.slots.map(({ node }) => Math.round(series.get(`${node.name} memory, MB`)?.at(-1)?.value ?? 0));
    console.log(
      `${Math.round((performance.now() - began) / 1_000)} s: ${born} viewers so far, memory ${memory.join(', ')} MB`,
    );
  }
  judge();
  for (const { node } of stage.slots)
    if (!node.alive() || complaintsIn(node.logs).length > 0) violations.push(`9: ${node.name} ended or complained`);
} finally {
  for (const viewer of viewers) viewer.close();
  await stage.close();
}

const from = (minutes * 60) / 5;
console.log(`\n${'figure'.padEnd(24)}${'first'.padStart(10)}${'last'.padStart(10)}${'per hour'.padStart(12)}`);
for (const [name, samples] of [...series].sort(([a], [b]) => a.localeCompare(b))) {
  const settled = samples.filter(({ at }) => at >= from);
  const figures = [settled[0]?.value ?? NaN, settled.at(-1)?.value ?? NaN].map((value) =>
    value.toFixed(1).padStart(10),
  );
  console.log(`${name.padEnd(24)}${figures.join('')}${slopePerHour(settled).toFixed(1).padStart(12)}`);
}
for (const violation of violations.slice(0, 20)) console.log(`VIOLATION ${violation}`);
console.log(`${born} viewers, ${stage.recorder.events.length} events, ${violations.length} violations`);
process.exit(violations.length > 0 ? 1 : 0);
