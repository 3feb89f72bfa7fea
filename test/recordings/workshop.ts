import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { systemClock } from '../../src/kernel/clock.js';
import { newNodeId } from '../../src/kernel/identity.js';
import type { StopReason } from '../../src/kernel/kind.js';
import { silent } from '../../src/kernel/log.js';
import { Addresses } from '../../src/recordings/addresses.js';
import { Library } from '../../src/recordings/library.js';
import { files, recordingName, type Progress, type RecordingArgs } from '../../src/recordings/recording.js';
import { Studios } from '../../src/recordings/studio.js';
import type { TimelineLine } from '../../src/recordings/timeline.js';
import { RecordingWorker, type WorkerState } from '../../src/recordings/worker.js';
import { eventually } from '../support/eventually.js';
import { MemoryStorage } from './memory-storage.js';
import { HEIGHT, pidsOf, WIDTH, type Recorder } from './support.js';

/** Makes recordings in this process, with real browsers and encoders: what goes wrong outside can be tried without a hub. */
export class Workshop {
  readonly storage = new MemoryStorage();
  readonly library = new Library(this.storage);
  /** The most that a browser may use that is started from now on. */
  memoryBytes = Infinity;
  readonly studios: Studios;
  readonly #begun: WorkInProgress[] = [];

  constructor(private readonly recorder: Recorder) {
    const memoryBytes = (): number => this.memoryBytes;
    const [clock, log] = [systemClock, silent];
    const addresses = new Addresses('http://127.0.0.1:1', [new URL(recorder.clock).origin]);
    this.studios = new Studios({
      tools: { chromium: recorder.env['CHROMIUM_PATH'] ?? '', ffmpeg: recorder.ffmpeg },
      environment: { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '' },
      ...{ cluster: 'workshop', node: 'n1', size: { width: WIDTH, height: HEIGHT }, clock, log },
      addresses: async () => addresses,
      ticket: () => ({ name: 'ticket', value: 'none' }),
      ...{ framesPerSecond: 10, segmentSeconds: 2, heartbeatMs: 500, deadlineMs: 8_000 },
      get memoryBytes() {
        return memoryBytes();
      },
    });
  }

  start(url = this.recorder.clock, more: Partial<RecordingArgs> = {}): WorkInProgress {
    const args: RecordingArgs = {
      ...{ id: randomBytes(8).toString('hex'), title: 'clock', maxSeconds: 600, requestedAt: Date.now() },
      ...{ owner: { user: 'ann', roles: [], claims: {} }, target: { url } },
      ...more,
    };
    const work = new WorkInProgress(this, args);
    this.#begun.push(work);
    return work;
  }

  /** Ends what a test that has failed left under way. */
  async close(): Promise<void> {
    this.storage.away = false;
    for (const work of this.#begun) await work.leave('lease-lost');
  }
}

export class WorkInProgress {
  readonly id: string;
  /** All that it has told so far, the newest of each. */
  seen: Progress = {};
  readonly #worker: RecordingWorker;
  readonly #abort = new AbortController();

  constructor(
    private readonly shop: Workshop,
    args: RecordingArgs,
    saved: WorkerState | null = null,
  ) {
    this.id = args.id;
    const { storage, library, studios } = shop;
    this.#worker = new RecordingWorker(
      args,
      {
        ...{ name: recordingName(args.id), node: newNodeId('n1'), fence: 1, signal: this.#abort.signal, saved },
        ...{ clock: systemClock, log: silent, origin: 'first' },
        owns: () => !this.#abort.signal.aborted,
        save: async () => undefined,
        holds: async () => [],
        retire: async () => false,
      },
      {
        ...{ studios, storage, library },
        takeReady: async () => null,
        report: (_id, progress) => void (this.seen = { ...this.seen, ...progress }),
      },
    );
  }

  made(seconds: number): Promise<unknown> {
    return eventually(() => (this.seen.seconds ?? 0) >= seconds, {
      what: `${seconds} s to be made; it is ${JSON.stringify(this.seen)}`,
      deadlineMs: 60_000,
    });
  }

  /** Waits for a browser and an encoder that are not these. */
  replaced(before: ReturnType<typeof pidsOf>): Promise<unknown> {
    return eventually(
      () => {
        const { browser, encoder } = pidsOf(this.id);
        return browser !== undefined && encoder !== undefined && encoder !== before.encoder;
      },
      { what: 'another browser and encoder', deadlineMs: 60_000, everyMs: 50 },
    );
  }

  async stop(): Promise<Progress> {
    await this.#worker.handle({ do: 'stop', reason: 'stopped' });
    return this.over();
  }

  async over(): Promise<Progress> {
    await this.#worker.done;
    return this.seen;
  }

  /** As the kernel does it. */
  async leave(reason: StopReason): Promise<void> {
    this.#abort.abort(reason);
    await this.#worker.stop(reason);
  }

  lines(type: string): TimelineLine[] {
    const text = this.shop.storage.files.get(files.timeline(this.id))?.toString() ?? '';
    const all = text.split('\n').filter(Boolean);
    return all.map((line) => JSON.parse(line) as TimelineLine).filter((line) => line.type === type);
  }

  async video(folder: string): Promise<string> {
    const file = join(folder, `${this.id}.mp4`);
    await writeFile(file, this.shop.storage.files.get(files.video(this.id)) ?? '');
    return file;
  }
}
