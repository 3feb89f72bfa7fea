import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Socket } from 'socket.io-client';
import { WebSocket } from 'ws';
import { provide } from '../../scripts/services.mjs';
import type { Recording } from '../../client/index.js';
import { markedProcesses } from '../../src/recordings/mark.js';
import { STUDIOS_FOLDER } from '../../src/recordings/studio.js';
import { call, connectSocket } from '../cluster/viewer.js';
import { HEIGHT, startClockPage, WIDTH } from '../support/clock-page.js';
import { eventually } from '../support/eventually.js';
import type { TestNode } from '../support/node.js';
import { recorderPrograms } from '../support/recorder-programs.js';

const run = promisify(execFile);

export { clocksIn, drift, HEIGHT, missingBy, percentile, WIDTH } from '../support/clock-page.js';

export interface Recorder {
  /** What a node needs to record the clock page. */
  readonly env: Record<string, string>;
  readonly ffmpeg: string;
  readonly ffprobe: string;
  /** The page that shows the time as blocks. */
  readonly clock: string;
  /** Lets `never` be answered, which waits until then. */
  answer(): void;
  /** Makes one page that shows `growing` take so many bytes more. */
  grow(bytes: number): void;
  /** How often a page that is nosy has tried all that it can. */
  tried(): number;
  stop(): Promise<void>;
}

/** Chromium and ffmpeg as programs that need no environment of their own, and a page that tells the time. */
export async function startRecorder(): Promise<Recorder> {
  const folder = await mkdtemp(join(tmpdir(), 'pollcast-recorder-test-'));
  const programs = await recorderPrograms(folder, await provide('chromium'), await provide('ffmpeg'));
  const page = await startClockPage();
  const { origin, answer, grow } = page;
  return {
    env: {
      CHROMIUM_PATH: programs.chromium,
      FFMPEG_PATH: programs.ffmpeg,
      ADMIN_TOKEN,
      RECORDER_SLOTS: '2',
      RECORDER_SIZE: `${WIDTH}x${HEIGHT}`,
      RECORDER_ALLOW: origin,
    },
    ffmpeg: programs.ffmpeg,
    ffprobe: programs.ffprobe,
    clock: `${origin}/`,
    answer,
    grow,
    tried: () => page.tried,
    async stop() {
      await page.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export async function probe(
  recorder: Recorder,
  file: string,
): Promise<{ seconds: number; frames: number; codec: string }> {
  const { stdout } = await run(recorder.ffprobe, [
    ...['-v', 'error', '-select_streams', 'v', '-count_packets', '-of', 'json'],
    ...['-show_entries', 'format=duration:stream=nb_read_packets,codec_name', file],
  ]);
  const { format, streams } = JSON.parse(stdout) as {
    format: { duration: string };
    streams: { nb_read_packets: string; codec_name: string }[];
  };
  return {
    seconds: Number(format.duration),
    frames: Number(streams[0]?.nb_read_packets),
    codec: streams[0]?.codec_name ?? '',
  };
}

/** Somebody who records: a socket, and the name that its HTTP requests go by. */
export class Person {
  readonly events: Recording[] = [];

  private constructor(
    readonly socket: Socket,
    readonly url: string,
    private readonly cookie: string,
  ) {
    socket.on('recording', (recording: Recording) => this.events.push(recording));
  }

  /** With the cookie of a first visit, so that he is the same guest over HTTP and everywhere. */
  static async come(url: string, cookie?: string): Promise<Person> {
    const own = cookie ?? (await guestCookie(url));
    return new Person(await connectSocket(url, { extraHeaders: { cookie: own } }), url, own);
  }

  async elsewhere(url: string): Promise<Person> {
    return Person.come(url, this.cookie);
  }

  async start(request: Record<string, unknown>): Promise<Recording> {
    return (await this.ask<{ recording: Recording }>('recording:start', request)).recording;
  }

  async stop(id: string): Promise<void> {
    await this.ask('recording:stop', { id });
  }

  async list(): Promise<Recording[]> {
    return (await this.ask<{ recordings: Recording[] }>('recording:list', {})).recordings;
  }

  async one(id: string): Promise<Recording | undefined> {
    return (await this.list()).find((recording) => recording.id === id);
  }

  until(id: string, what: string, holds: (recording: Recording) => boolean, deadlineMs = 40_000): Promise<Recording> {
    return eventually(
      async () => {
        const recording = await this.one(id);
        if (recording && holds(recording)) return recording;
        throw new Error(JSON.stringify(recording));
      },
      { what: `recording ${id} to be ${what}`, deadlineMs, everyMs: 100 },
    );
  }

  /** Records until `seconds` of it are made. */
  made(id: string, seconds: number): Promise<Recording> {
    return this.until(id, `${seconds} s long`, (one) => one.state === 'recording' && one.seconds >= seconds);
  }

  ready(id: string): Promise<Recording> {
    return this.until(id, 'over', ({ state }) => state === 'ready' || state === 'error');
  }

  get(path: string, headers: Record<string, string> = {}): Promise<Response> {
    return fetch(new URL(path, this.url), { headers: { cookie: this.cookie, ...headers } });
  }

  async download(path: string, folder: string): Promise<string> {
    const response = await this.get(path);
    if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
    const file = join(folder, path.replaceAll('/', '-'));
    await writeFile(file, Buffer.from(await response.arrayBuffer()));
    return file;
  }

  /** @throws the error that the hub answered */
  async ask<T>(event: string, request: object): Promise<T> {
    const answer = await call(this.socket, event, request);
    if (answer.ok) return answer as unknown as T;
    throw Object.assign(new Error(answer.error.message), answer.error);
  }

  leave(): void {
    this.socket.close();
  }
}

async function guestCookie(url: string): Promise<string> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`);
  return new Promise((resolve, reject) => {
    socket.on('upgrade', (response) => {
      resolve(response.headers['set-cookie']?.[0]?.split(';')[0] ?? '');
      socket.on('open', () => socket.terminate());
    });
    socket.on('error', reject);
  });
}

/** Pids of browsers and encoders that are there for a recording; the encoder is the one without children of its own. */
export function pidsOf(id: string): { browser?: number; encoder?: number } {
  const found = markedProcesses().filter(({ mark }) => mark.id === id);
  const isEncoder = (pid: number): boolean => commandOf(pid).includes('libx264');
  const isBrowser = (pid: number): boolean => commandOf(pid).includes('--remote-debugging-pipe');
  return {
    browser: found.find(({ pid }) => isBrowser(pid))?.pid,
    encoder: found.find(({ pid }) => isEncoder(pid))?.pid,
  };
}

export async function nothingLeft(id: string): Promise<void> {
  await eventually(async () => markedProcesses().every(({ mark }) => mark.id !== id), {
    what: `no process of recording ${id}`,
    deadlineMs: 30_000,
  });
}

/** Names of the folders on this machine that are there for a recording. */
export async function foldersOf(id: string): Promise<string[]> {
  return (await readdir(STUDIOS_FOLDER)).filter((name) => name.startsWith(`${id}-`));
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}

/** Without one everybody on this machine is an administrator, and sees all recordings. */
const ADMIN_TOKEN = 'of-the-test';

/** What the admin API answers. */
export async function asAdministrator(url: string): Promise<unknown> {
  const response = await fetch(url, { headers: { authorization: `Bearer ${ADMIN_TOKEN}` } });
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
  return response.json();
}

export async function metric(url: string, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
}

/** Waits until these nodes have said how many slots they have: they look for their programs after they have started. */
export async function recorderSlots(nodes: readonly TestNode[], slots: number): Promise<void> {
  await eventually(
    async () => {
      const rows = (await asAdministrator(`${nodes[0]?.url}/api/nodes`)) as { name: string; slots: number }[];
      return nodes.every(({ name }) => rows.find((row) => row.name === name)?.slots === slots);
    },
    { what: `${slots} slots on each node`, deadlineMs: 30_000 },
  );
}
