import { expect, test } from '@jest/globals';
import { silent } from '../../src/kernel/log.js';
import type { RecorderBrowser } from '../../src/recordings/browser.js';
import type { Encoder, EncoderEnd, Piece } from '../../src/recordings/encoder.js';
import type { Joiner } from '../../src/recordings/joiner.js';
import type { Picture } from '../../src/recordings/pacer.js';
import { Take, type Segment } from '../../src/recordings/take.js';
import { VirtualTime } from '../support/virtual-clock.js';

/** A take on virtual time, whose browser shows what it is told to and whose encoder writes down what it is given. */
class Stage {
  readonly time = new VirtualTime();
  readonly clock = this.time.clock();
  readonly given: string[] = [];
  readonly segments: Segment[] = [];
  /** What a browser that was made ready has kept. */
  readonly kept: Picture[] = [];
  /** How long the encoder needs for its end. */
  encodesMs = 0;
  killed = false;
  #show: (picture: Picture) => void = () => undefined;
  #piece: (piece: Piece) => void = () => undefined;

  take(since?: number): Take {
    const browser = {
      fault: new Promise(() => undefined),
      watch: async (listener: (picture: Picture) => void) => {
        this.#show = listener;
        for (const picture of this.kept) listener(picture);
      },
    };
    let end: (end: EncoderEnd) => void = () => undefined;
    const ended = new Promise<EncoderEnd>((resolve) => (end = resolve));
    const encoder = {
      ...{ ended, backlog: 0, taken: 0, pieces: [] },
      onPiece: (listener: (piece: Piece) => void) => void (this.#piece = listener),
      write: (jpeg: Buffer) => void this.given.push(jpeg.toString()),
      finish: () => {
        const finish = (): void => {
          if (this.given.length > 0) this.#piece({ file: 'piece', fromMs: 0, ms: this.given.length * 100 });
          end({ ok: true, how: 'exit 0' });
        };
        if (this.encodesMs === 0) finish();
        else this.clock.after(this.encodesMs, finish);
        return ended;
      },
      kill: () => {
        this.killed = true;
        end({ ok: false, how: 'SIGKILL' });
      },
    };
    return new Take({
      ...{ browser: browser as unknown as RecorderBrowser, encoder: encoder as unknown as Encoder },
      ...{ joiner: {} as Joiner, folder: '/nowhere', framesPerSecond: 10, clock: this.clock, log: silent, since },
      onSegment: (segment) => void this.segments.push(segment),
    });
  }

  show(name: string): void {
    this.#show({ at: this.clock.monotonic(), jpeg: Buffer.from(name) });
  }

  /** As a browser did it that was made ready, some time ago. */
  async rehearse(...names: string[]): Promise<void> {
    for (const name of names) {
      this.kept.push({ at: this.clock.monotonic(), jpeg: Buffer.from(name) });
      await this.time.advance(500);
    }
  }
}

test('a handover begins where the one before has ended, however long ago', async () => {
  const stage = new Stage();
  const began = stage.clock.now();
  await stage.rehearse('a', 'b', 'c', 'd', 'e', 'f');
  const take = stage.take(began + 1_200);
  await take.start();
  await take.finish();
  expect(stage.segments).toEqual([{ file: 'piece', from: began + 1_200, ms: stage.given.length * 100 }]);
  // 1.2 to 3 s: the third picture was there until 1.5 s.
  expect(stage.given.join('')).toBe('cccdddddeeeeeffffff'.slice(0, stage.given.length));
  expect(stage.given.length).toBeGreaterThanOrEqual(18);
});

test('it begins with the first picture there is when the one before has ended earlier, and now when it ends later', async () => {
  const early = new Stage();
  const began = early.clock.now();
  await early.rehearse('a', 'b');
  const first = early.take(began - 60_000);
  await first.start();
  await first.finish();
  expect(early.segments).toMatchObject([{ from: began }]);

  // The clock of the node before is ahead.
  const late = new Stage();
  await late.rehearse('a', 'b');
  const second = late.take(late.clock.now() + 60_000);
  await second.start();
  await second.finish();
  expect(late.segments).toEqual([{ file: 'piece', from: late.clock.now(), ms: 100 }]);
  expect(late.given).toEqual(['b']);
});

test('a browser that answers and shows nothing is given up', async () => {
  const stage = new Stage();
  const take = stage.take();
  const started = take.start();
  const failed = expect(started).rejects.toThrow('shows no picture');
  await stage.time.advance(30_000);
  await failed;
  await take.finish();
  expect(stage.given).toEqual([]);
});

test('an encoder that is slow to end is waited for', async () => {
  const stage = new Stage();
  stage.encodesMs = 15_000;
  const take = stage.take();
  const started = take.start();
  stage.show('a');
  await started;
  await stage.time.advance(1_000);
  const finished = take.finish();
  await stage.time.advance(16_000);
  await finished;
  expect([stage.killed, stage.segments.length]).toEqual([false, 1]);
});

test('it is in time from its first picture on', async () => {
  const stage = new Stage();
  const take = stage.take();
  const started = take.start();
  await stage.time.advance(5_000);
  stage.show('a');
  await started;
  await stage.time.advance(950);
  stage.show('b');
  await stage.time.advance(100);
  await take.finish();
  expect(stage.given).toEqual([...Array.from({ length: 10 }, () => 'a'), 'b']);
});
