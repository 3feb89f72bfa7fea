import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { createHub, type Hub, type Row, type Snapshot } from '../../client/index.js';
import { applyDelta } from '../../client/delta.js';
import type { DeltaFrame } from '../../client/wire.js';
import { deltaBetween } from '../../src/channels/deltas.js';
import { accepted, HubServer } from './hub-server.js';

const row = fc.record({
  id: fc.integer({ min: 0, max: 12 }),
  part: fc.constantFrom('a', 'b'),
  n: fc.integer({ max: 3 }),
});

function frameFrom(before: readonly Row[], after: readonly Row[], key: readonly string[]): DeltaFrame | null {
  const text = JSON.stringify(after);
  const delta = deltaBetween(key, { seq: 1, rows: before }, { rows: after, text });
  return (
    delta && {
      ...{ channel: 'c', epoch: 1, seq: 2, polledAt: 0, base: delta.base },
      upsert: JSON.parse(delta.upsert) as Row[],
      remove: JSON.parse(delta.remove) as DeltaFrame['remove'],
    }
  );
}

describe('a delta', () => {
  it.each([[['id']], [['id', 'part']]])('that the hub makes gives the very rows, in their order (key %j)', (key) => {
    const unique = fc.uniqueArray(row, {
      maxLength: 10,
      selector: (one) => key.map((column) => one[column as keyof typeof one]).join(),
    });
    let deltas = 0;
    fc.assert(
      fc.property(unique, unique, fc.boolean(), (before, other, grown) => {
        // Half of the time the next rows come from the last ones, as they mostly do.
        const after = grown
          ? before.filter((_, i) => i % 3 !== 0).map((one, i) => (i % 2 ? one : { ...one, n: 9 }))
          : other;
        const frame = frameFrom(before, after, key);
        if (!frame) return;
        deltas += 1;
        expect(applyDelta(before, frame, key)).toEqual(after);
      }),
      { numRuns: 500 },
    );
    expect(deltas).toBeGreaterThan(20);
  });

  it('keeps the rows that did not change as they are', () => {
    const before = Array.from({ length: 20 }, (_, id) => ({ id, name: `row ${id}` }));
    const after = before.map((one) => (one.id === 7 ? { ...one, name: 'other' } : one));
    const frame = frameFrom(before, after, ['id']);
    const rows = frame && applyDelta(before, frame, ['id']);
    expect(rows).toEqual(after);
    expect(before.filter((one, i) => one === rows?.[i])).toHaveLength(19);
  });
});

describe('a hub that sends deltas', () => {
  let server: HubServer;
  let hub: Hub;
  const snapshots: Snapshot[] = [];

  beforeEach(async () => {
    server = await HubServer.start();
    hub = createHub(server.url);
    snapshots.length = 0;
  });

  afterEach(async () => {
    hub.close();
    await server.close();
  });

  async function rows(count: number): Promise<Snapshot> {
    while (snapshots.at(-1)?.rows?.length !== count) await new Promise<void>((resolve) => setImmediate(resolve));
    return snapshots.at(-1) as Snapshot;
  }

  function subscribe(): void {
    server.onSubscribe = (request, ack) => ack({ ...accepted(request, 1, [{ id: 1 }]), key: ['id'] });
    hub.topic('a').watch((snapshot) => snapshots.push(snapshot));
  }

  const delta = { channel: 'a', epoch: 1, polledAt: 0, remove: [] };

  it('is asked for them, and they are applied', async () => {
    subscribe();
    await rows(1);
    server.io.emit('frame', { ...delta, base: 1, seq: 2, upsert: [{ id: 2 }] });
    expect((await rows(2)).position).toEqual({ epoch: 1, seq: 2 });
    expect(server.named('subscribe')[0]?.request.delta).toBe(true);
  });

  it('is asked anew, without since, when one does not build on what is here', async () => {
    subscribe();
    await rows(1);
    server.onSubscribe = (request, ack) =>
      ack({ ...accepted(request, 5, [{ id: 1 }, { id: 2 }, { id: 3 }]), key: ['id'] });
    server.io.emit('frame', { ...delta, base: 4, seq: 5, upsert: [{ id: 3 }] });
    expect((await rows(3)).position).toEqual({ epoch: 1, seq: 5 });
    expect(server.named('subscribe').map(({ request }) => request.since)).toEqual([undefined, undefined]);
  });
});
