import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { sleep, type Clock, type Timer } from '../kernel/clock.js';
import type { Logger } from '../kernel/log.js';
import type { BrowserFault, RecorderBrowser } from './browser.js';
import type { Encoder } from './encoder.js';
import type { Joiner } from './joiner.js';
import { Pacer } from './pacer.js';

export type Fault = BrowserFault | 'encoder-death' | 'encoder-hung' | 'paused';

/** A piece of video that is whole, and when it began (wall clock ms). */
export interface Segment {
  readonly file: string;
  readonly from: number;
  readonly ms: number;
}

export interface TakeParts {
  readonly browser: RecorderBrowser;
  readonly encoder: Encoder;
  readonly joiner: Joiner;
  readonly folder: string;
  readonly framesPerSecond: number;
  readonly clock: Clock;
  readonly log: Logger;
  /** Wall clock ms: somebody else has recorded up to then. */
  readonly since?: number | undefined;
  onSegment(segment: Segment): void;
}

/** One picture of a page is some 50 to 200 KB: seconds of frames that the encoder has not taken. */
const BACKLOG_BYTES = 8 * 1024 * 1024;
const ENCODER_PATIENCE_MS = 5_000;
/** On a busy machine one may have begun only now; that one hangs is seen sooner. */
const FINISH_PATIENCE_MS = 20_000;
/** A browser that answers and yet draws nothing is of no use. */
const FIRST_PICTURE_MS = 20_000;
/** The process itself stood still for so long: what was on the page meanwhile, nobody saw. */
const PAUSED_MS = 5_000;

/**
 * One stretch of recording without a break: one browser, one encoder, one clock. It ends in order by `finish`, or at the
 * first fault of either; what was encoded until then is saved in both cases.
 */
export class Take {
  readonly #pacer: Pacer;
  readonly #timer: Timer;
  readonly fault: Promise<Fault>;
  #faulted!: (fault: Fault) => void;
  #startedAt: number | null = null;
  #finishing: Promise<void> | null = null;
  #slowSince: number | null = null;
  #taken = 0;
  #idleSince: number | null = null;
  #hung = false;
  #savedMs = 0;

  constructor(private readonly parts: TakeParts) {
    const { browser, encoder, clock, framesPerSecond } = parts;
    this.#pacer = new Pacer(framesPerSecond);
    this.fault = new Promise((resolve) => (this.#faulted = resolve));
    void browser.fault.then((fault) => this.#faulted(fault));
    void encoder.ended.then(({ how }) => {
      if (this.#finishing) return;
      parts.log.warn({ how }, 'the encoder of a recording has ended');
      this.#faulted('encoder-death');
    });
    encoder.onPiece(({ file, fromMs, ms }) => this.#keep(file, fromMs, ms));
    this.#timer = everyPeriod(clock, 1_000 / framesPerSecond, () => this.#pump());
  }

  /** Resolves with the first picture: from then on it is recorded. */
  async start(): Promise<void> {
    const { browser, clock } = this.parts;
    const came = new AbortController();
    await new Promise<void>((resolve, reject) => {
      void this.fault.then((fault) => reject(new Error(fault)));
      void sleep(clock, FIRST_PICTURE_MS, came.signal).then(() => {
        if (!came.signal.aborted) reject(new Error('the browser shows no picture of the page'));
      });
      browser
        .watch((picture) => {
          if (this.#finishing) return;
          this.#pacer.offer(picture);
          resolve();
        })
        .catch(reject);
    }).finally(() => came.abort());
    this.#begin();
  }

  /** Goes on where the one before ended, as far as there are pictures of that time. */
  #begin(): void {
    const { clock, since } = this.parts;
    if (this.#pacer.startedAt === null) return;
    const now = clock.monotonic();
    const offset = clock.now() - now;
    // The clock of another machine may be ahead.
    if (since !== undefined) this.#pacer.begin(Math.min(now, since - offset));
    this.#startedAt = this.#pacer.startedAt + offset;
    this.#feed(now);
  }

  /** Length of what was given to the encoder, in ms. */
  get ms(): number {
    return (this.#pacer.frames * 1_000) / this.#pacer.framesPerSecond;
  }

  get dropped(): number {
    return this.#pacer.dropped;
  }

  /** Ends the video and saves what there is of it, whatever has become of the encoder. Idempotent. */
  finish(): Promise<void> {
    this.#finishing ??= this.#finish();
    return this.#finishing;
  }

  async #finish(): Promise<void> {
    const { encoder, clock } = this.parts;
    this.#timer.cancel();
    const late = new AbortController();
    const ended = encoder.finish().then(({ ok }) => ok);
    const patienceMs = this.#hung ? 0 : FINISH_PATIENCE_MS;
    const whole = await Promise.race([ended, sleep(clock, patienceMs, late.signal).then(() => false)]);
    late.abort();
    if (whole) return;
    encoder.kill();
    await encoder.ended;
    await this.#salvage();
  }

  async #salvage(): Promise<void> {
    const { encoder, folder, joiner } = this.parts;
    const known = new Set(encoder.pieces.map(({ file }) => file));
    const cut = (await readdir(folder)).filter((name) => name.startsWith('piece-')).sort();
    for (const name of cut) {
      const file = join(folder, name);
      if (known.has(file)) continue;
      const saved = join(folder, `saved-${name}`);
      const ms = await joiner.salvage(file, saved);
      if (ms > 0) this.#keep(saved, this.#savedMs, ms);
    }
  }

  #keep(file: string, fromMs: number, ms: number): void {
    this.#savedMs = fromMs + ms;
    this.parts.onSegment({ file, from: Math.round((this.#startedAt ?? 0) + fromMs), ms });
  }

  #feed(now: number): void {
    for (let frame = this.#pacer.next(now); frame; frame = this.#pacer.next(now)) this.parts.encoder.write(frame);
  }

  #pump(): void {
    const { encoder, clock } = this.parts;
    const now = clock.monotonic();
    if (this.#pacer.owed(now) * (1_000 / this.#pacer.framesPerSecond) > PAUSED_MS) return this.#faulted('paused');
    this.#feed(now);
    if (encoder.backlog < BACKLOG_BYTES) this.#slowSince = null;
    else this.#slowSince ??= now;
    // What waits in the pipe is taken at once by one that runs, however slowly it encodes.
    if (encoder.backlog === 0 || encoder.taken > this.#taken) this.#idleSince = null;
    else this.#idleSince ??= now;
    this.#taken = encoder.taken;
    const since = Math.min(this.#slowSince ?? now, this.#idleSince ?? now);
    if (now - since <= ENCODER_PATIENCE_MS) return;
    this.#hung = true;
    this.#faulted('encoder-hung');
  }
}

function everyPeriod(clock: Clock, ms: number, step: () => void): Timer {
  let timer: Timer;
  const again = (): void => {
    timer = clock.after(ms, () => {
      again();
      step();
    });
  };
  again();
  return { cancel: () => timer.cancel() };
}
