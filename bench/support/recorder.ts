import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { io, type Socket } from 'socket.io-client';
import {
  clocksIn,
  HEIGHT,
  missingBy,
  percentile,
  drift,
  startClockPage,
  WIDTH,
} from '../../test/support/clock-page.js';
import { recorderPrograms } from '../../test/support/recorder-programs.js';
import type { Bench } from './bench.js';
import { cpuOf } from './cpu.js';
import type { HubNode } from './node.js';
import { hubModule, scriptModule } from './project.js';
import type * as marks from '../../src/recordings/mark.js';
import type * as services from '../../scripts/services.mjs';

export interface Recording {
  readonly id: string;
  readonly state: string;
  readonly node: string | null;
  readonly segments: number;
  readonly seconds: number;
  readonly droppedFrames: number;
  readonly error?: { readonly message: string };
}

/** What a video shows of the clock on its page. */
export interface Seen {
  readonly seconds: number;
  readonly dropped: number;
  /** Seconds that the timeline says to be missing, and that are by the clock. */
  readonly gap: number;
  readonly missing: number;
  /** The longest that no new picture was shown, in seconds: what stood still counts too. */
  readonly longest: number;
  /** Nine of ten frames are no further than that from their moment, in ms. */
  readonly lagMs: number;
}

const PATIENCE_MS = 60_000;

/** What nodes need to record, a page to be recorded, and the way to ask them for it. */
export class RecorderBench {
  private constructor(
    private readonly bench: Bench,
    private readonly folder: string,
    private readonly mark: typeof marks,
    private readonly ffmpeg: string,
    readonly env: Readonly<Record<string, string>>,
    /** The clock, drawn anew with each frame. */
    readonly page: string,
  ) {}

  static async start(bench: Bench): Promise<RecorderBench> {
    const folder = await mkdtemp(join(tmpdir(), 'pollcast-bench-recorder-'));
    bench.defer(() => rm(folder, { recursive: true, force: true }));
    const { provide } = await scriptModule<typeof services>('services.mjs');
    const programs = await recorderPrograms(folder, await provide('chromium'), await provide('ffmpeg'));
    const { origin, stop } = await startClockPage();
    bench.defer(stop);
    const env = {
      CHROMIUM_PATH: programs.chromium,
      FFMPEG_PATH: programs.ffmpeg,
      RECORDER_ALLOW: origin,
      RECORDER_SIZE: `${WIDTH}x${HEIGHT}`,
      STORAGE_URL: `file:${folder}/files`,
    };
    const mark = await hubModule<typeof marks>('recordings/mark.js');
    return new RecorderBench(bench, folder, mark, programs.ffmpeg, env, `${origin}/`);
  }

  async connect(node: HubNode): Promise<Desk> {
    const socket = io(node.url, { transports: ['websocket'], reconnection: false });
    this.bench.defer(async () => void socket.close());
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('connect_error', reject);
    });
    return new Desk(socket, node.url);
  }

  /** Processes that run for a recording: those of its browser, and its encoder. */
  processes(id: string): { browser: number[]; encoder: number[] } {
    const pids = this.mark.markedProcesses().flatMap(({ pid, mark }) => (mark.id === id ? [pid] : []));
    const isEncoder = (pid: number): boolean => textOf(pid, 'cmdline').includes('libx264');
    return { browser: pids.filter((pid) => !isEncoder(pid)), encoder: pids.filter(isEncoder) };
  }

  /** The one that the hub minds, of those of a browser. */
  mainOf(id: string): { browser: number; encoder: number } {
    const { browser, encoder } = this.processes(id);
    const main = browser.find((pid) => textOf(pid, 'cmdline').includes('--remote-debugging-pipe'));
    if (main === undefined || encoder[0] === undefined) throw new Error(`recording ${id} has no browser or encoder`);
    return { browser: main, encoder: encoder[0] };
  }

  async seenIn(desk: Desk, id: string): Promise<Seen> {
    const { seconds, droppedFrames } = await desk.one(id);
    const file = join(this.folder, `${id}.mp4`);
    await writeFile(file, await desk.download(id, 'video'));
    const clocks = await clocksIn({ ffmpeg: this.ffmpeg }, file);
    const lines = (await desk.download(id, 'timeline')).toString().split('\n').filter(Boolean);
    const gaps = lines
      .map((line) => JSON.parse(line) as { type: string; at: number; seconds: number })
      .filter(({ type }) => type === 'gap');
    const steps = clocks.slice(1).map((clock, i) => clock - (clocks[i] as number));
    return {
      seconds,
      dropped: droppedFrames,
      gap: gaps.reduce((sum, gap) => sum + gap.seconds, 0),
      missing: gaps.length === 0 ? 0 : missingBy(clocks, gaps.at(-1)?.at ?? 0),
      longest: Math.max(...steps) / 1_000,
      lagMs: percentile(drift(clocks).map(Math.abs), 0.9),
    };
  }
}

/** Somebody at a node: on a loopback hub without authentication, an administrator. */
export class Desk {
  constructor(
    readonly socket: Socket,
    private readonly url: string,
  ) {}

  async ask<T>(event: string, body: object): Promise<T> {
    const answer = (await this.socket.timeout(PATIENCE_MS).emitWithAck(event, body)) as {
      ok: boolean;
      error?: unknown;
    };
    if (!answer.ok) throw new Error(`${event} was refused: ${JSON.stringify(answer.error)}`);
    return answer as T;
  }

  async start(url: string, more: object = {}): Promise<string> {
    return (await this.ask<{ recording: Recording }>('recording:start', { url, ...more })).recording.id;
  }

  async one(id: string): Promise<Recording> {
    const { recordings } = await this.ask<{ recordings: Recording[] }>('recording:list', {});
    const found = recordings.find((one) => one.id === id);
    if (!found) throw new Error(`there is no recording ${id}`);
    return found;
  }

  async until(id: string, holds: (recording: Recording) => boolean): Promise<Recording> {
    const deadline = performance.now() + PATIENCE_MS;
    for (;;) {
      const recording = await this.one(id);
      if (holds(recording)) return recording;
      if (recording.state === 'error') throw new Error(`recording ${id} failed: ${recording.error?.message}`);
      if (performance.now() > deadline) throw new Error(`recording ${id} is still ${JSON.stringify(recording)}`);
      await sleep(100);
    }
  }

  made(id: string, seconds: number): Promise<Recording> {
    return this.until(id, (one) => one.state === 'recording' && one.seconds >= seconds);
  }

  /** Resolves when it can be watched. */
  async finish(id: string): Promise<void> {
    await this.ask('recording:stop', { id });
    await this.until(id, ({ state }) => state === 'ready');
  }

  async download(id: string, part: 'video' | 'timeline'): Promise<Buffer> {
    const response = await fetch(`${this.url}/api/recordings/${id}/${part}`);
    if (!response.ok) throw new Error(`${part} of ${id}: ${response.status} ${await response.text()}`);
    return Buffer.from(await response.arrayBuffer());
  }
}

/** CPU seconds so far; processes that have ended since count as nothing. */
export function cpuOfAll(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + orNothing(() => cpuOf(pid)), 0);
}

/** Memory in bytes, with what several share counted once. */
export function memoryOfAll(pids: readonly number[]): number {
  return pids.reduce(
    (sum, pid) => sum + Number(/^Pss:\s+(\d+)/m.exec(textOf(pid, 'smaps_rollup'))?.[1] ?? 0) * 1024,
    0,
  );
}

function textOf(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}

function orNothing(read: () => number): number {
  try {
    return read();
  } catch {
    return 0;
  }
}
