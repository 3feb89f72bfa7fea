import { EventEmitter } from 'node:events';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { ReadingProof } from '../../src/channels/reading-proof.js';
import { VirtualTime } from '../support/virtual-clock.js';

class Wire extends EventEmitter {
  pings = 0;
  ping(): void {
    this.pings += 1;
  }
}

const STALL_MS = 8_000;
let time: VirtualTime;
let wire: Wire;
let proof: ReadingProof;
let stalls: number;
beforeEach(() => {
  time = new VirtualTime();
  wire = new Wire();
  stalls = 0;
  proof = new ReadingProof(wire, time.clock(), STALL_MS, () => (stalls += 1));
});

describe('the proof that somebody reads', () => {
  it('is asked for, and its lack told after the time for it', async () => {
    proof.ask();
    await time.advance(STALL_MS - 1);
    expect([wire.pings, stalls]).toEqual([1, 0]);
    await time.advance(1);
    expect(stalls).toBe(1);
  });

  it('is an answer: then nothing is waited for', async () => {
    proof.ask();
    await time.advance(5_000);
    wire.emit('pong');
    await time.advance(60_000);
    expect([stalls, time.pending]).toEqual([0, 0]);
  });

  it('is any answer while several are open: who reads slowly is not cut', async () => {
    for (let i = 0; i < 10; i++) proof.ask();
    for (let i = 0; i < 10; i++) {
      await time.advance(7_000);
      wire.emit('pong');
    }
    await time.advance(60_000);
    expect(stalls).toBe(0);
  });

  it('is missed when some were answered and then none', async () => {
    proof.ask();
    proof.ask();
    await time.advance(1_000);
    wire.emit('pong');
    await time.advance(STALL_MS);
    expect(stalls).toBe(1);
  });

  it('may come with the very timer, after this node itself has stood still', async () => {
    proof.ask();
    await time.advance(STALL_MS - 1);
    wire.emit('pong');
    await time.advance(STALL_MS);
    expect(stalls).toBe(0);
  });

  it('is not waited for once it is closed, and an answer that nobody asked for is none', async () => {
    wire.emit('pong');
    proof.ask();
    proof.close();
    proof.ask();
    wire.emit('pong');
    await time.advance(60_000);
    expect([wire.pings, stalls, time.pending]).toEqual([1, 0, 0]);
  });
});
