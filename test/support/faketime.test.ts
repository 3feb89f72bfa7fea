import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { eventually } from './eventually.js';
import { steppedClock, type SteppedClock } from './faketime.js';
import { startProcess, type ServiceProcess } from './service-process.js';

let clock: SteppedClock;
let program: ServiceProcess;

beforeAll(async () => {
  clock = await steppedClock();
  const tell = 'setInterval(() => console.log(JSON.stringify([Date.now(), performance.now()])), 20)';
  program = startProcess({ file: process.execPath, args: ['-e', tell], env: { PATH: process.env.PATH, ...clock.env } });
}, 60_000);

afterAll(async () => {
  await program.kill('SIGKILL');
  await clock.remove();
});

const told = () => program.lines.map((line) => JSON.parse(line) as [number, number]);
const offset = () => (told().at(-1)?.[0] ?? NaN) - Date.now();

test("a node's wall clock is stepped, to and fro, and its monotonic clock and timers are not", async () => {
  await eventually(() => Math.abs(offset()) < 5_000);
  await clock.step(-60_000);
  await eventually(() => offset() < -50_000);
  await clock.step(90_000);
  await eventually(() => offset() > 80_000);
  const monotonic = told().map(([, at]) => at);
  expect(monotonic).toEqual([...monotonic].sort((a, b) => a - b));
  const longest = Math.max(...monotonic.map((at, i) => at - (monotonic[i - 1] ?? at)));
  expect(longest).toBeLessThan(50_000);
}, 30_000);
