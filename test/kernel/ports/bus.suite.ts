import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { newNodeId, type NodeId } from '../../../src/kernel/identity.js';
import type { BusPort } from '../../../src/kernel/ports/bus.js';
import { eventually } from '../../support/eventually.js';

export interface BusBench {
  port(node: NodeId): Promise<BusPort>;
  /** Ends a node's connections for good. */
  disconnect(node: NodeId): Promise<void>;
  /** Breaks a node's connections and lets them come back. */
  interrupt(node: NodeId): Promise<void>;
  close(): Promise<void>;
}

/** What every bus promises, whatever is behind it. */
export function busSuite(name: string, open: () => Promise<BusBench>): void {
  describe(`the bus in ${name}`, () => {
    const a = newNodeId('a');
    const b = newNodeId('b');
    let bench: BusBench;
    let ofA: BusPort;
    let ofB: BusPort;

    beforeEach(async () => {
      bench = await open();
      ofA = await bench.port(a);
      ofB = await bench.port(b);
    });
    afterEach(() => bench.close());

    const listen = async (bus: BusPort, channel: string): Promise<string[]> => {
      const heard: string[] = [];
      await bus.subscribe(channel, (message) => heard.push(message));
      return heard;
    };
    const count = (heard: string[], wanted: number): Promise<unknown> =>
      eventually(() => heard.length >= wanted, { what: `${wanted} messages` });

    it('delivers to everybody who listens, the sender included, and to nobody else', async () => {
      const [here, there, elsewhere] = [await listen(ofA, 'c'), await listen(ofB, 'c'), await listen(ofB, 'd')];
      await ofA.publish('c', 'ä\n{"x":1}');
      await ofA.publish('d', 'end');
      await Promise.all([count(here, 1), count(there, 1), count(elsewhere, 1)]);
      expect([here, there, elsewhere]).toEqual([['ä\n{"x":1}'], ['ä\n{"x":1}'], ['end']]);
    });

    it('knows when nobody hears a message', async () => {
      expect(await ofA.publish('c', '1')).toBe(0);
      const heard = await listen(ofB, 'c');
      expect(await ofA.publish('c', '2')).toBe(1);
      await count(heard, 1);
      await ofB.close();
      await bench.disconnect(b);
      await eventually(async () => (await ofA.publish('c', '3')) === 0, { what: 'nobody to listen any more' });
      expect(heard[0]).toBe('2');
    });

    it('keeps the order of one sender', async () => {
      const heard = await listen(ofB, 'c');
      const sent = Array.from({ length: 500 }, (_, i) => String(i));
      await Promise.all(sent.map((message) => ofA.publish('c', message)));
      await count(heard, 500);
      expect(heard).toEqual(sent);
    });

    it('hears nothing more after it has unsubscribed, while others of the same node go on', async () => {
      const gone: string[] = [];
      const unsubscribe = await ofB.subscribe('c', (message) => gone.push(message));
      const stays = await listen(ofB, 'c');
      await ofA.publish('c', '1');
      await count(stays, 1);
      await unsubscribe();
      await unsubscribe();
      await ofA.publish('c', '2');
      await count(stays, 2);
      expect(gone).toEqual(['1']);
    });

    it('hears again after subscribing right behind an unsubscription', async () => {
      const unsubscribe = await ofB.subscribe('c', () => undefined);
      const left = unsubscribe();
      const heard = await listen(ofB, 'c');
      await left;
      await ofA.publish('c', '1');
      await count(heard, 1);
      expect(heard).toEqual(['1']);
    });

    it('lets a handler that throws harm nobody', async () => {
      await ofB.subscribe('c', () => {
        throw new Error('bad handler');
      });
      const heard = await listen(ofB, 'c');
      await ofA.publish('c', '1');
      await ofA.publish('c', '2');
      await count(heard, 2);
      expect(heard).toEqual(['1', '2']);
    });

    it('counts the pulses of the living, in the order asked', async () => {
      expect(await ofA.pulses([])).toEqual([]);
      expect(ofA.pulseAgeMs()).toBe(0);
      await ofA.holdPulse(a);
      expect(await ofB.pulses([b, a, 'stranger~1'])).toEqual([0, 1, 0]);
      await ofB.holdPulse(b);
      expect(await ofA.pulses([a, b])).toEqual([1, 1]);
      await eventually(() => ofA.pulseAgeMs() > 0, { what: 'the pulse to have an age' });
    });

    it('lets go of the pulse when it is closed', async () => {
      await ofA.holdPulse(a);
      await ofA.close();
      await eventually(async () => (await ofB.pulses([a]))[0] === 0, { what: 'the pulse to be gone' });
      expect(ofA.pulseAgeMs()).toBe(0);
    });

    it('tells of a broken link and of its recovery, and hears again by the time it says so', async () => {
      const heard = await listen(ofA, 'c');
      await ofA.holdPulse(a);
      const links: boolean[] = [];
      const stop = ofA.onLink((up) => links.push(up));
      expect(ofA.up).toBe(true);
      await bench.interrupt(a);
      await eventually(() => links.includes(true), { what: 'the link to be back' });
      expect(links).toEqual([false, true]);
      expect(ofA.up).toBe(true);
      await ofB.publish('c', 'after');
      await count(heard, 1);
      expect(heard).toEqual(['after']);
      await eventually(async () => (await ofB.pulses([a]))[0] === 1, { what: 'the pulse to be back' });
      stop();
      await bench.interrupt(a);
      expect(links).toEqual([false, true]);
    });
  });
}
