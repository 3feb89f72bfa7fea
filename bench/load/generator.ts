import { performance } from 'node:perf_hooks';
import { RestViewer } from './poller.js';
import type { Load, OpenOrder, Opened, Order } from './protocol.js';
import { Tally } from './tally.js';
import { LoadViewer } from './viewer.js';

/** The load generator's process: takes orders from its parent, one at a time, and ends with it. */
const AT_ONCE = 400;

const tally = new Tally();
const viewers: (LoadViewer | RestViewer)[] = [];
let firstLost = 0;
const lost = (): number => (firstLost ||= tally.now());

async function obey(order: Order): Promise<Load | Opened | number | null> {
  switch (order.do) {
    case 'open':
      return open(order);
    case 'begin':
      firstLost = 0;
      tally.begin();
      return null;
    case 'end':
      return tally.end();
    case 'returned':
      return tally.returnedCount;
    case 'close':
      for (const viewer of viewers.splice(0)) viewer.close();
      return null;
  }
}

let napping = false;

/** Between two turns of the event loop this thread sleeps, and no write to its sockets wakes it. */
function nap(ms: number): void {
  if (napping) return;
  napping = true;
  const nothing = new Int32Array(new SharedArrayBuffer(4));
  const turn = (): void => {
    Atomics.wait(nothing, 0, 0, ms);
    setImmediate(turn);
  };
  turn();
}

async function open(order: OpenOrder): Promise<Opened> {
  const began = performance.now();
  tally.begin();
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < order.count) {
      const index = next++;
      const viewer = order.kind === 'rest' ? new RestViewer(order, tally) : new LoadViewer(order, index, tally, lost);
      viewers.push(viewer);
      await viewer.open();
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  if (order.napMs !== undefined) nap(order.napMs);
  return { seconds: (performance.now() - began) / 1000, errors: tally.errors };
}

process.on('message', ({ id, order }: { id: number; order: Order }) => {
  obey(order).then(
    (result) => process.send?.({ id, result }),
    (error: unknown) => process.send?.({ id, error: String(error) }),
  );
});
process.on('disconnect', () => process.exit(0));
