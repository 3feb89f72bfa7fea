import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe } from '../errors.js';
import type { Clock } from '../kernel/clock.js';
import type { Logger } from '../kernel/log.js';
import type { Addresses } from './addresses.js';
import { RecorderBrowser } from './browser.js';
import { Encoder } from './encoder.js';
import { Joiner } from './joiner.js';
import {
  beganAt,
  formatMark,
  MARK_VARIABLE,
  markedProcesses,
  parentOf,
  type Mark,
  type MarkedProcess,
} from './mark.js';
import type { RecordingArgs } from './recording.js';
import type { Tools } from './tools.js';

/** Of this account: in a folder of somebody else's nothing could be made. */
export const STUDIOS_FOLDER = join(tmpdir(), `pollcast-recordings-${process.getuid?.() ?? 'own'}`);
/** A file in each studio's folder that says whose it is. */
export const MARK_FILE = 'mark';

export interface StudioSettings {
  readonly tools: Tools;
  /** Of the programs, before the mark. */
  readonly environment: Readonly<Record<string, string>>;
  readonly cluster: string;
  readonly node: string;
  addresses(): Promise<Addresses>;
  /** The cookie that lets the browser of a recording in. */
  ticket(args: RecordingArgs): { readonly name: string; readonly value: string };
  readonly size: { readonly width: number; readonly height: number };
  readonly framesPerSecond: number;
  readonly segmentSeconds: number;
  readonly memoryBytes: number;
  readonly heartbeatMs: number;
  readonly deadlineMs: number;
  readonly clock: Clock;
  readonly log: Logger;
}

/** A browser that shows the page, and a folder: all that one stretch of recording needs. */
export interface Studio {
  readonly folder: string;
  readonly browser: RecorderBrowser;
  readonly joiner: Joiner;
  encoder(): Encoder;
  /** Ends what runs in it and removes what lies in it. */
  close(): Promise<void>;
}

/** Opens and closes the studios of this node, and knows which there are: whatever else carries its mark is left over. */
export class Studios {
  readonly #folders = new Set<string>();
  #sandbox = process.getuid?.() !== 0;

  constructor(readonly settings: StudioSettings) {}

  /** Whether a folder belongs to a studio that is open here. */
  isOpen(folder: string): boolean {
    return this.#folders.has(folder);
  }

  get sandbox(): boolean {
    return this.#sandbox;
  }

  /** Whether something of this recording is open here. */
  minds(id: string): boolean {
    return [...this.#folders].some((folder) => folder.startsWith(join(STUDIOS_FOLDER, `${id}-`)));
  }

  /** An empty folder of this node's, for files of a recording. `leave` it. */
  async enter(id: string): Promise<{ folder: string; joiner: Joiner }> {
    const mark = this.#mark(id);
    await mkdir(STUDIOS_FOLDER, { recursive: true, mode: 0o700 });
    const folder = await mkdtemp(join(STUDIOS_FOLDER, `${id}-`));
    this.#folders.add(folder);
    await writeFile(join(folder, MARK_FILE), formatMark(mark));
    return { folder, joiner: new Joiner({ ffmpeg: this.settings.tools.ffmpeg, mark: this.#environment(mark) }) };
  }

  async leave(folder: string): Promise<void> {
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    this.#folders.delete(folder);
  }

  /** Rejects with `FORBIDDEN` or `UNAVAILABLE`; nothing is left then. */
  async open(args: RecordingArgs): Promise<Studio> {
    const { settings } = this;
    const addresses = await settings.addresses();
    const address = addresses.open(args.target, args.room);
    const { folder, joiner } = await this.enter(args.id);
    const mark = this.#environment(this.#mark(args.id));
    try {
      const browser = await this.#launch(args, addresses, folder, mark);
      try {
        const studio = this.#studio(folder, browser, joiner, mark);
        const listener = args.room === undefined ? null : addresses.listener(args.target, args.room);
        if (listener !== null) await browser.listen(listener);
        await browser.open(address);
        return studio;
      } catch (error) {
        await browser.close();
        throw error;
      }
    } catch (error) {
      await this.leave(folder);
      throw error;
    }
  }

  #studio(folder: string, browser: RecorderBrowser, joiner: Joiner, mark: Record<string, string>): Studio {
    const { tools, framesPerSecond, segmentSeconds, log } = this.settings;
    return {
      folder,
      browser,
      joiner,
      encoder: () => new Encoder({ ffmpeg: tools.ffmpeg, mark, folder, framesPerSecond, segmentSeconds, log }),
      close: async () => {
        await browser.close();
        await this.leave(folder);
      },
    };
  }

  async #launch(
    args: RecordingArgs,
    addresses: Addresses,
    folder: string,
    mark: Record<string, string>,
  ): Promise<RecorderBrowser> {
    const { tools, size, framesPerSecond, memoryBytes, heartbeatMs, deadlineMs, clock, log } = this.settings;
    const known = new Set(markedProcesses().map(({ pid }) => pid));
    const isOurs = ({ pid, mark }: MarkedProcess): boolean =>
      mark.id === args.id && !known.has(pid) && parentOf(pid) === process.pid;
    const settings = {
      ...{ chromium: tools.chromium, mark, profile: join(folder, 'profile'), addresses, size, framesPerSecond },
      ...{ memoryBytes, heartbeatMs, deadlineMs, clock, log },
      cookie: this.settings.ticket(args),
      findPid: () => markedProcesses().find(isOurs)?.pid ?? null,
    };
    if (this.#sandbox) {
      try {
        return await RecorderBrowser.launch({ ...settings, sandbox: true });
      } catch (error) {
        if (!/sandbox/i.test(describe(error))) throw error;
        this.#sandbox = false;
        log.warn({}, "this system does not allow Chromium's sandbox: recordings are made without it from now on");
      }
    }
    return RecorderBrowser.launch({ ...settings, sandbox: false });
  }

  #mark(id: string): Mark {
    const { cluster, node } = this.settings;
    return { cluster, id, node, pid: process.pid, began: beganAt(process.pid) ?? '0' };
  }

  #environment(mark: Mark): Record<string, string> {
    return { ...this.settings.environment, [MARK_VARIABLE]: formatMark(mark) };
  }
}
