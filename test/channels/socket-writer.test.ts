import { EventEmitter } from 'node:events';
import { beforeEach, describe, expect, it } from '@jest/globals';
import type { Socket } from 'socket.io';
import { RoundWrites } from '../../src/channels/round-writes.js';
import { SharedFrame } from '../../src/channels/shared-frame.js';
import { SocketWriter } from '../../src/channels/socket-writer.js';
import { VirtualTime } from '../support/virtual-clock.js';

/** A connection whose other end reads only when a test says so. */
class SlowConnection extends EventEmitter {
  readonly sent: string[] = [];
  readonly net = Object.assign(new EventEmitter(), {
    writableLength: 0,
    cork: () => void (this.corked = []),
    uncork: () => {
      this.writes.push(this.corked?.length ?? 0);
      this.corked = null;
    },
    write: (wire: Buffer) => this.#send(wire),
  });
  /** Frames of each system call. */
  readonly writes: number[] = [];
  corked: Buffer[] | null = null;
  /** Whether what is written stays in it until the other end reads. */
  keeps = true;
  writeBuffer: unknown[] = [];
  terminated = 0;
  /** The websocket itself: what it is asked, and its end. */
  readonly wire = Object.assign(new EventEmitter(), {
    _socket: this.net,
    pings: 0,
    ping: () => void (this.wire.pings += 1),
    terminate: () => void (this.terminated += 1),
  });
  readonly transport = { socket: this.wire };

  write(data: string): void {
    this.emit('packetCreate');
    this.writeBuffer.push(data);
  }

  #send(wire: Buffer): void {
    if (this.keeps) this.net.writableLength += wire.length;
    const frames = cut(wire);
    if (this.corked) this.corked.push(wire);
    else this.writes.push(frames.length);
    this.sent.push(...frames);
  }

  /** The other end reads everything. */
  read(): void {
    this.net.writableLength = 0;
    this.net.emit('drain');
  }

  /** Its transport is free again: engine.io hands over what it held back. */
  flush(): void {
    this.emit('flush');
    this.sent.push(...this.writeBuffer.splice(0).map((packet) => `4${String(packet)}`));
    this.emit('drain');
  }
}

/** The packets in a piece of the wire: unmasked text frames of up to 64 KB. */
function cut(wire: Buffer): string[] {
  const packets: string[] = [];
  for (let at = 0; at < wire.length;) {
    const short = wire.readUInt8(at + 1) < 126;
    const start = at + (short ? 2 : 4);
    const end = start + (short ? wire.readUInt8(at + 1) : wire.readUInt16BE(at + 2));
    packets.push(wire.toString('utf8', start, end));
    at = end;
  }
  return packets;
}

const time = new VirtualTime();
const key = ['id'];
let conn: SlowConnection;
let writer: SocketWriter;
let cuts: number;
beforeEach(() => {
  conn = new SlowConnection();
  cuts = 0;
  const socket = Object.assign(new EventEmitter(), { conn }) as unknown as Socket;
  writer = new SocketWriter(socket, { clock: time.clock(), stallMs: 8_000, onCut: () => (cuts += 1) });
});

const big = 'x'.repeat(40_000);
function frame(channel: string, seq: number, text = big): SharedFrame {
  return new SharedFrame({
    channel,
    epoch: 1,
    seq,
    polledAt: 1,
    rows: JSON.stringify([
      { id: 0, seq },
      { id: 1, text },
    ]),
  });
}
const sent = (): string[] =>
  conn.sent.map((packet) => {
    const [, body] = JSON.parse(packet.slice(2)) as [string, { channel: string; seq: number; base?: number }];
    return `${body.channel}@${body.seq}${body.base === undefined ? '' : ` from ${body.base}`}`;
  });

describe('a socket with a backlog', () => {
  it('keeps only the newest frame of each channel, and gets it when it drains', () => {
    for (let seq = 1; seq <= 100; seq++) for (const channel of ['a', 'b', 'c']) writer.frame(frame(channel, seq));
    expect(sent()).toEqual(['a@1', 'b@1']);
    expect(writer.waiting).toBe(3);
    expect(conn.net.writableLength).toBeLessThan(128 * 1024);
    conn.read();
    conn.read();
    expect(sent()).toEqual(['a@1', 'b@1', 'a@100', 'b@100', 'c@100']);
    expect(writer.waiting).toBe(0);
  });

  it('stays bounded, too, while engine.io itself holds something back', () => {
    conn.write('an acknowledgement');
    for (let seq = 1; seq <= 100; seq++) writer.frame(frame('a', seq));
    expect(conn.writeBuffer.length).toBeLessThanOrEqual(4);
    expect(writer.waiting).toBe(1);
    conn.flush();
    conn.read();
    expect(conn.sent[0]).toBe('4an acknowledgement');
    expect(conn.sent.at(-1)).toContain('"seq":100');
  });

  it('is cut once it has taken nothing for too long, and not while it takes something', async () => {
    for (let seq = 1; seq <= 5; seq++) writer.frame(frame('a', seq));
    await time.advance(7_900);
    conn.read();
    for (let seq = 6; seq <= 9; seq++) writer.frame(frame('a', seq));
    await time.advance(7_900);
    expect([cuts, conn.terminated]).toEqual([0, 0]);
    await time.advance(200);
    expect([cuts, conn.terminated, writer.waiting]).toEqual([1, 1, 0]);
    expect(time.pending).toBe(0);
  });

  it('is cut, too, when the system takes everything for it and it reads none of that', async () => {
    conn.keeps = false;
    for (let seq = 1; seq <= 6; seq++) writer.frame(frame('a', seq));
    expect([conn.wire.pings, writer.waiting]).toEqual([0, 0]);
    writer.frame(frame('a', 7));
    expect(conn.wire.pings).toBe(1);
    await time.advance(5_000);
    conn.wire.emit('pong');
    for (let seq = 8; seq <= 14; seq++) writer.frame(frame('a', seq));
    expect(conn.wire.pings).toBe(2);
    await time.advance(7_999);
    expect([cuts, conn.terminated]).toEqual([0, 0]);
    await time.advance(1);
    expect([cuts, conn.terminated]).toEqual([1, 1]);
    expect(time.pending).toBe(0);
  });

  it('does not get a waiting frame of a channel that it has left', () => {
    for (let seq = 1; seq <= 5; seq++) for (const channel of ['a', 'b']) writer.frame(frame(channel, seq));
    writer.forget('a');
    conn.read();
    expect(sent().at(-1)).toBe('b@5');
    expect(sent()).not.toContain('a@5');
  });
});

describe('the frames of one round', () => {
  const round = (...to: readonly [SocketWriter, readonly SharedFrame[]][]): void => {
    const writes = new RoundWrites();
    for (const [one, frames] of to) for (const shared of frames) one.frame(shared, writes);
    writes.send();
  };
  const another = (): [SlowConnection, SocketWriter] => {
    const other = new SlowConnection();
    const socket = Object.assign(new EventEmitter(), { conn: other }) as unknown as Socket;
    return [other, new SocketWriter(socket, { clock: time.clock(), stallMs: 8_000, onCut: () => undefined })];
  };

  it('leave in one write, whatever others get of it', () => {
    const [a, b, c] = ['a', 'b', 'c'].map((channel) => frame(channel, 1, 'short')) as [
      SharedFrame,
      SharedFrame,
      SharedFrame,
    ];
    const others = [another(), another(), another()];
    const given = [[a, b, c], [a, c], [b]];
    round([writer, [a, b, c]], ...others.map(([, one], i): [SocketWriter, SharedFrame[]] => [one, given[i] ?? []]));
    expect(sent()).toEqual(['a@1', 'b@1', 'c@1']);
    expect(conn.writes).toEqual([3]);
    expect(others.map(([{ writes }]) => writes)).toEqual([[3], [2], [1]]);
    expect(others[1]?.[0].sent).toEqual([conn.sent[0], conn.sent[2]]);
  });

  it('leave in one system call also when they are too large to be put together', () => {
    round([writer, ['a', 'b'].map((channel) => frame(channel, 1))]);
    expect(sent()).toEqual(['a@1', 'b@1']);
    expect(conn.writes).toEqual([2]);
  });

  it('go on at once when the socket has taken those that were not too many', () => {
    conn.keeps = false;
    round([writer, ['a', 'b', 'c', 'd'].map((channel) => frame(channel, 1))]);
    expect([sent(), writer.waiting]).toEqual([['a@1', 'b@1', 'c@1', 'd@1'], 0]);
    expect(time.pending).toBe(0);
  });

  it('count as a backlog, so that those too many wait', () => {
    round([writer, ['a', 'b', 'c', 'd'].map((channel) => frame(channel, 1))]);
    expect([sent(), writer.waiting]).toEqual([['a@1', 'b@1'], 2]);
    conn.read();
    conn.read();
    expect([sent().slice(2), writer.waiting]).toEqual([['c@1', 'd@1'], 0]);
  });

  it('come behind what engine.io still holds back', () => {
    conn.write('an acknowledgement');
    round([writer, ['a', 'b'].map((channel) => frame(channel, 1, 'short'))]);
    expect(conn.sent).toEqual([]);
    conn.flush();
    expect(conn.sent.map((packet) => packet.slice(0, 9))).toEqual(['4an ackno', '42["frame', '42["frame']);
  });

  it('are let go of when the viewer leaves in the middle of it', () => {
    const writes = new RoundWrites();
    writer.frame(frame('a', 1, 'short'), writes);
    writer.close();
    writer.frame(frame('b', 1, 'short'), writes);
    writes.send();
    expect(conn.sent).toEqual([]);
  });
});

describe('a viewer that takes deltas', () => {
  const next = (before: SharedFrame, channel = before.channel): SharedFrame => {
    const made = frame(channel, before.seq + 1);
    made.compareTo(before, key);
    return made;
  };

  it('gets them while it has what they build on, and the rows when it has missed one', () => {
    const first = frame('a', 1);
    const [second, third] = [next(first), next(next(first))];
    writer.sendDeltas('a', first);
    writer.frame(second);
    // One is skipped, as by thinning.
    const fourth = next(third);
    writer.frame(fourth);
    conn.read();
    writer.frame(next(fourth));
    expect(sent()).toEqual(['a@2 from 1', 'a@4', 'a@5 from 4']);
  });

  it('is healed by the rows when frames were skipped in its slot', () => {
    let newest = frame('a', 1);
    writer.sendDeltas('a', newest);
    writer.frame(frame('b', 1));
    writer.frame(frame('c', 1));
    for (let i = 0; i < 5; i++) writer.frame((newest = next(newest)));
    conn.read();
    writer.frame((newest = next(newest)));
    expect(sent()).toEqual(['b@1', 'c@1', 'a@6', 'a@7 from 6']);
  });

  it('gets none across an epoch', () => {
    const old = frame('a', 1);
    writer.sendDeltas('a', old);
    const renewed = new SharedFrame({ channel: 'a', epoch: 2, seq: 2, polledAt: 1, rows: old.rows });
    renewed.compareTo(old, key);
    writer.frame(renewed);
    expect(sent()).toEqual(['a@2']);
  });
});
