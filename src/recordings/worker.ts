import { describe, PollcastError, toPollcastError } from '../errors.js';
import { sleep } from '../kernel/clock.js';
import { nodeName } from '../kernel/identity.js';
import type { ProcessContext, Running, StopReason } from '../kernel/kind.js';
import type { Storage } from '../storage/storage.js';
import type { Library } from './library.js';
import { queued, type EndReason, type Progress, type RecordingArgs } from './recording.js';
import { Reel } from './reel.js';
import type { Studio, Studios } from './studio.js';
import { Take, type Fault } from './take.js';
import { lineOf, type StoredSegment } from './timeline.js';

/** What the next owner goes on from. */
export interface WorkerState {
  readonly segments: readonly StoredSegment[];
  readonly droppedFrames: number;
  readonly ending: EndReason | null;
  readonly error?: { readonly code: string; readonly message: string };
}

export type WorkerMessage = { readonly do: 'stop'; readonly reason: EndReason };

export interface WorkerParts {
  readonly studios: Studios;
  readonly storage: Storage;
  readonly library: Library;
  /** A studio that was made ready for this recording, if there is one. */
  takeReady(id: string): Promise<Studio | null>;
  /** Tells whoever wants to know. Never rejects. */
  report(id: string, progress: Progress): void;
}

/** Browsers that end before anything was recorded, one after the other. */
const MAX_FAILURES = 5;
const FIRST_PAUSE_MS = 250;
const PROGRESS_MS = 1_000;

type Outcome = Fault | 'ended' | 'left';

/**
 * Makes one recording: minds a browser and an encoder, replaces them when they fail, and keeps what they made.
 *
 *     starting → recording → (fault) → recording …     the next segment, with a gap
 *                    ↓                                  on another node, after a handover or a takeover, likewise
 *                finishing → ready | error
 */
export class RecordingWorker implements Running<WorkerMessage, boolean> {
  readonly done: Promise<void>;
  readonly #reel: Reel;
  #ending: EndReason | null;
  #error: WorkerState['error'];
  #dropped: number;
  #take: Take | null = null;
  #finished = false;
  /** Fires when it ends, or leaves this node. */
  readonly #enough = new AbortController();

  constructor(
    private readonly args: RecordingArgs,
    private readonly context: ProcessContext<WorkerState>,
    private readonly parts: WorkerParts,
  ) {
    const { saved, fence, clock, log } = context;
    this.#ending = saved?.ending ?? null;
    this.#error = saved?.error;
    this.#dropped = saved?.droppedFrames ?? 0;
    const { storage } = parts;
    const save = (): Promise<void> => this.#save();
    this.#reel = new Reel({ id: args.id, fence, storage, clock, log, save }, saved?.segments ?? []);
    if (this.#reel.segments.length > 0) this.#reel.interrupted(context.origin);
    this.done = this.#run();
  }

  async handle({ reason }: WorkerMessage): Promise<boolean> {
    await this.#end(reason);
    return true;
  }

  async stop(reason: StopReason): Promise<void> {
    if (this.#finished) return;
    if (reason === 'lease-lost' || reason === 'crash') this.#reel.abandon();
    this.#enough.abort();
    await this.#recording;
    if (reason === 'crash' || reason === 'lease-lost') return;
    // Stopped from outside for good: nobody else will finish it. Handed over while it is being finished: that is soon done.
    if (reason === 'retired') this.#ending ??= 'operator';
    if (reason === 'retired' || this.#finishing) await this.#finish().catch(() => undefined);
  }

  #recording: Promise<void> = Promise.resolve();
  #finishing: Promise<void> | null = null;

  async #run(): Promise<void> {
    if (this.#ending === null) {
      this.#recording = this.#record();
      // `stop` waits for it as well, and wants no more than its end.
      const recorded = this.#recording;
      this.#recording = recorded.catch(() => undefined);
      await recorded;
    }
    if (this.context.signal.aborted) return new Promise(() => undefined);
    await this.#finish();
  }

  async #end(reason: EndReason, error?: PollcastError): Promise<void> {
    if (this.#ending !== null) return;
    this.#ending = reason;
    if (error) this.#error = { code: error.code, message: error.message };
    await this.#save();
    this.#enough.abort();
  }

  #save(): Promise<void> {
    return this.context.save({
      segments: this.#reel.segments,
      droppedFrames: this.#dropped + (this.#take?.dropped ?? 0),
      ending: this.#ending,
      ...(this.#error ? { error: this.#error } : {}),
    });
  }

  /** One stretch after the other, until there is enough. */
  async #record(): Promise<void> {
    const { clock, log } = this.context;
    let failures = 0;
    this.#report({ state: this.#reel.segments.length > 0 ? 'recording' : 'starting' });
    while (!this.#enough.signal.aborted) {
      let outcome: Outcome;
      try {
        const studio = await this.#enter();
        if (!studio) return;
        outcome = await this.#stretch(studio);
        failures = 0;
      } catch (error) {
        if (this.#enough.signal.aborted) return;
        const coded = toPollcastError(error);
        failures += 1;
        log.warn({ err: error, recording: this.args.id, failures }, 'a recorder could not begin');
        if (coded.code === 'FORBIDDEN') await this.#end('failed', coded);
        else if (failures === MAX_FAILURES) await this.#end('failed', tooOften(coded));
        else await sleep(clock, FIRST_PAUSE_MS * 2 ** failures, this.#enough.signal);
        continue;
      }
      if (outcome === 'ended' || outcome === 'left') return;
      log.warn({ fault: outcome, recording: this.args.id }, 'a recording goes on in its next segment');
      this.#reel.interrupted(outcome);
    }
  }

  /** `null`: it ends, or leaves this node, before the page is shown. That is not waited for; what comes of it is closed. */
  async #enter(): Promise<Studio | null> {
    const { signal } = this.#enough;
    const opening = this.#open();
    const left = new Promise<null>((resolve) => {
      if (signal.aborted) resolve(null);
      signal.addEventListener('abort', () => resolve(null), { once: true });
    });
    const studio = await Promise.race([opening, left]);
    if (studio) return studio;
    opening
      .then((late) => late.close())
      .catch((error: unknown) => this.context.log.debug({ err: error }, 'a studio that nobody needs did not open'));
    return null;
  }

  async #open(): Promise<Studio> {
    return (await this.parts.takeReady(this.args.id)) ?? this.parts.studios.open(this.args);
  }

  /** One browser, one encoder, until either fails or there is enough. */
  async #stretch(studio: Studio): Promise<Outcome> {
    const { clock, log } = this.context;
    const { framesPerSecond } = this.parts.studios.settings;
    const { browser, joiner, folder } = studio;
    const encoder = studio.encoder();
    const last = this.#reel.segments.at(-1);
    const since = last && last.from + last.ms;
    const take = new Take({
      ...{ browser, encoder, joiner, folder, framesPerSecond, clock, log, since },
      onSegment: (segment) => this.#reel.add(segment),
    });
    try {
      if (this.#enough.signal.aborted) return 'left';
      browser.onEvent((event, time) => {
        // What a page that was made ready was sent before is in the timeline already.
        if (since === undefined || time >= since) this.#reel.note(lineOf(event, time));
      });
      await take.start();
      this.#take = take;
      this.#report({ state: 'recording', startedAt: this.#reel.segments[0]?.from ?? Math.round(clock.now()) });
      const outcome = await Promise.race([take.fault, this.#untilEnough(take)]);
      await take.finish();
      await this.#reel.flush();
      return outcome;
    } finally {
      this.#dropped += take.dropped;
      this.#take = null;
      await take.finish();
      // Its folder may still be written to by what is just ending; the next stretch has another one.
      await studio.close().catch((error: unknown) => log.warn({ err: error }, 'a studio of a recording is left over'));
    }
  }

  async #untilEnough(take: Take): Promise<Outcome> {
    const before = this.#reel.seconds;
    const { signal } = this.#enough;
    while (!signal.aborted) {
      const leftMs = (this.args.maxSeconds - before) * 1_000 - take.ms;
      if (leftMs <= 0) {
        await this.#end('length');
        break;
      }
      await sleep(this.context.clock, Math.min(leftMs, PROGRESS_MS), signal);
      this.#report({ seconds: before + take.ms / 1_000 });
    }
    return this.#ending === null ? 'left' : 'ended';
  }

  #finish(): Promise<void> {
    this.#finishing ??= this.#finishOnce();
    return this.#finishing;
  }

  /** An outage of the storage is waited for, as long as this node may. */
  async #finishOnce(): Promise<void> {
    const { clock, log, signal } = this.context;
    this.#report({ state: 'finishing' });
    for (;;) {
      try {
        return await this.#keep();
      } catch (error) {
        const passing = error instanceof PollcastError && error.code === 'UNAVAILABLE';
        if (!passing || signal.aborted) throw error;
        log.warn({ err: error, recording: this.args.id }, 'a recording is not finished yet');
        await sleep(clock, PROGRESS_MS, signal);
      }
    }
  }

  async #keep(): Promise<void> {
    const { library } = this.parts;
    // The last owner came as far as that, and no further.
    const kept = await library.get(this.args.id);
    const facts = kept ?? (await this.#develop());
    if (!kept) await library.keep({ ...queued(this.args), ...facts });
    this.#finished = true;
    this.parts.report(this.args.id, facts);
  }

  /** Makes of the segments what people can watch. */
  async #develop(): Promise<Progress> {
    const { studios } = this.parts;
    if (this.#reel.segments.length === 0) {
      const error = this.#error ?? { code: 'UNAVAILABLE', message: 'It ended before anything was recorded.' };
      return { ...this.#facts(), state: 'error', error };
    }
    const { folder, joiner } = await studios.enter(this.args.id);
    try {
      return { ...this.#facts(), state: 'ready', bytes: await this.#reel.join(folder, joiner) };
    } finally {
      await studios.leave(folder);
    }
  }

  #facts(): Progress {
    const { segments, seconds } = this.#reel;
    return {
      node: nodeName(this.context.node),
      segments: segments.length,
      seconds,
      startedAt: segments[0]?.from ?? null,
      droppedFrames: this.#dropped + (this.#take?.dropped ?? 0),
      ended: this.#ending ?? 'failed',
    };
  }

  #report(progress: Progress): void {
    const { node, segments, droppedFrames } = this.#facts();
    this.parts.report(this.args.id, { node, segments, droppedFrames, ...progress });
  }
}

function tooOften(cause: PollcastError): PollcastError {
  const message = `The recorder could not begin, ${MAX_FAILURES} times: ${describe(new Error(cause.message))}`;
  return new PollcastError(cause.code, message);
}
