import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { Socket } from 'socket.io-client';
import { WebSocket } from 'ws';
import { provide } from '../../scripts/services.mjs';
import type { Recording } from '../../client/index.js';
import { markedProcesses } from '../../src/recordings/mark.js';
import { STUDIOS_FOLDER } from '../../src/recordings/studio.js';
import { call, connectSocket } from '../cluster/viewer.js';
import { eventually } from '../support/eventually.js';
import type { TestNode } from '../support/node.js';

const run = promisify(execFile);

export const WIDTH = 640;
export const HEIGHT = 360;
/** The clock's bits: black and white blocks, so that they outlive any encoder. */
const BITS = 32;
const BLOCK = 20;
/** So much at a time is taken by a page that grows. */
const PIECE = 16 * 1024 ** 2;

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
  stop(): Promise<void>;
}

/** Chromium and ffmpeg as programs that need no environment of their own, and a page that tells the time. */
export async function startRecorder(): Promise<Recorder> {
  const folder = await mkdtemp(join(tmpdir(), 'pollcast-recorder-test-'));
  const wrap = async (name: string, bin: string, env: Record<string, string>): Promise<string> => {
    const file = join(folder, name);
    const exports = Object.entries(env).map(([key, value]) => `export ${key}='${value}'\n`);
    await writeFile(file, `#!/bin/sh\n${exports.join('')}exec '${bin}' "$@"\n`);
    await chmod(file, 0o755);
    return file;
  };
  const [chromium, ffmpeg] = [await provide('chromium'), await provide('ffmpeg')];
  const programs = {
    chromium: await wrap('chromium', chromium.bin, chromium.env),
    ffmpeg: await wrap('ffmpeg', ffmpeg.bin, ffmpeg.env),
    ffprobe: await wrap('ffprobe', join(dirname(ffmpeg.bin), 'ffprobe'), ffmpeg.env),
  };
  const { server, answer, grow } = await clockServer();
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
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
    async stop() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/**
 * `/`: the wall clock in ms, its lowest bits as blocks, drawn anew with each frame. `/away`: redirects elsewhere. `/never`: has to
 * be answered by hand. `/growing`: the clock, in a page that takes memory when it is told to.
 */
async function clockServer(): Promise<{ server: Server; answer(): void; grow(bytes: number): void }> {
  const waiting: (() => void)[] = [];
  let growth = 0;
  const server = createServer((request, response) => {
    if (request.url === '/growth') {
      response.end(String(growth));
      growth = 0;
      return;
    }
    if (request.url === '/never') {
      waiting.push(() => response.end('at last'));
      return;
    }
    if (request.url === '/away') {
      response.writeHead(302, { location: 'http://127.0.0.1:9/' }).end();
      return;
    }
    response.setHeader('content-type', 'text/html').end(`<!doctype html><title>clock</title>
      <body style="margin:0"><canvas width="${BITS * BLOCK}" height="${HEIGHT}"></canvas><script>
        const pen = document.querySelector('canvas').getContext('2d');
        const draw = () => {
          const bits = (Date.now() % 2 ** ${BITS}).toString(2).padStart(${BITS}, '0');
          for (let i = 0; i < ${BITS}; i++) {
            pen.fillStyle = bits[i] === '1' ? '#fff' : '#000';
            pen.fillRect(i * ${BLOCK}, 0, ${BLOCK}, ${HEIGHT});
          }
          requestAnimationFrame(draw);
        };
        draw();
        const held = [];
        const grow = async () => {
          const bytes = Number(await (await fetch('/growth')).text());
          // Each page of memory is written to: only then it is there.
          for (let left = bytes; left > 0; left -= ${PIECE}) {
            held.push(new Uint8Array(${PIECE}).fill(1));
            // In between it answers: it is to grow, not to hang.
            await new Promise((resolve) => setTimeout(resolve));
          }
          setTimeout(grow, 200);
        };
        if (location.pathname === '/growing') grow();
      </script>`);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return { server, answer: () => waiting.forEach((end) => end()), grow: (bytes) => void (growth = bytes) };
}

/** The wall clock that each frame of a video shows, in ms modulo 2^32. */
export async function clocksIn(recorder: Recorder, file: string): Promise<number[]> {
  const { stdout } = await run(
    recorder.ffmpeg,
    [
      '-v',
      'error',
      '-i',
      file,
      '-vf',
      `crop=${BITS * BLOCK}:2:0:100,scale=${BITS}:1:flags=area`,
      '-pix_fmt',
      'gray',
      '-f',
      'rawvideo',
      '-',
    ],
    { encoding: 'buffer', maxBuffer: 64 * 1024 * 1024 },
  );
  const frames: number[] = [];
  for (let i = 0; i + BITS <= stdout.length; i += BITS) {
    frames.push(stdout.subarray(i, i + BITS).reduce((sum, pixel) => sum * 2 + (pixel > 127 ? 1 : 0), 0));
  }
  return frames;
}

/** How far each frame's clock is from where the first frame's says that it should be, in ms. */
export function drift(clocks: readonly number[]): number[] {
  return clocks.map((clock, i) => clock - (clocks[0] as number) - i * 100);
}

export function percentile(values: readonly number[], part: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length * part)] ?? NaN;
}

/**
 * Seconds that are missing in a video, by the clock that its frames show, up to where `at` seconds of it are over. The median
 * of what follows: a page that a busy machine does not let draw shows an older time for a moment.
 */
export function missingBy(clocks: readonly number[], at: number): number {
  return percentile(drift(clocks).slice(Math.ceil(at * 10)), 0.5) / 1_000;
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
