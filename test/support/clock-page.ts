import { execFile } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';

const run = promisify(execFile);

export const WIDTH = 640;
export const HEIGHT = 360;
/** The clock's bits: black and white blocks, so that they outlive any encoder. */
const BITS = 32;
const BLOCK = 20;
/** So much at a time is taken by a page that grows. */
const PIECE = 16 * 1024 ** 2;

export interface ClockPage {
  readonly origin: string;
  /** Lets `never` be answered, which waits until then. */
  answer(): void;
  /** Makes one page that shows `growing` take so many bytes more. */
  grow(bytes: number): void;
  /** How often a page that is nosy has tried all that it can. */
  readonly tried: number;
  stop(): Promise<void>;
}

/**
 * `/`: the wall clock in ms, its lowest bits as blocks, drawn anew with each frame; `/calm`: ten times a second. `/away`: redirects elsewhere. `/never`: has to
 * be answered by hand. `/growing`: the clock, in a page that takes memory when it is told to. `/nosy?of=URL`: the clock, in a page that asks URL for something
 * in every way that it knows.
 */
export async function startClockPage(): Promise<ClockPage> {
  const waiting: (() => void)[] = [];
  let growth = 0;
  let tried = 0;
  const server = createServer((request, response) => {
    if (request.url === '/growth') {
      response.end(String(growth));
      growth = 0;
      return;
    }
    if (request.url === '/tried') {
      tried += 1;
      response.end();
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
        const calm = location.pathname === '/calm';
        const draw = () => {
          const bits = (Date.now() % 2 ** ${BITS}).toString(2).padStart(${BITS}, '0');
          for (let i = 0; i < ${BITS}; i++) {
            pen.fillStyle = bits[i] === '1' ? '#fff' : '#000';
            pen.fillRect(i * ${BLOCK}, 0, ${BLOCK}, ${HEIGHT});
          }
          if (calm) setTimeout(draw, 100);
          else requestAnimationFrame(draw);
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
        const nosy = async (of) => {
          const over = (make) => new Promise((done) => {
            const thing = make();
            for (const name of ['load', 'open', 'close', 'error', 'message']) thing.addEventListener(name, done);
          });
          const element = (name, fields) => () => document.body.appendChild(Object.assign(document.createElement(name), fields));
          const worker = 'const of = ' + JSON.stringify(of) + ';' +
            'const socket = new WebSocket(of.replace("http", "ws"));' +
            'const over = new Promise((done) => socket.onopen = socket.onclose = socket.onerror = done);' +
            'Promise.allSettled([fetch(of), fetch(of, { method: "POST", mode: "no-cors" }), over]).then(() => postMessage(1));';
          navigator.sendBeacon(of, 'x');
          await Promise.allSettled([
            fetch(of),
            fetch(of, { method: 'POST', mode: 'no-cors', body: 'x' }),
            over(() => new WebSocket(of.replace('http', 'ws'))),
            over(() => new EventSource(of)),
            over(() => new Worker(URL.createObjectURL(new Blob([worker])))),
            over(element('img', { src: of })),
            over(element('iframe', { src: of })),
            over(element('link', { rel: 'stylesheet', href: of })),
            over(element('script', { src: of })),
          ]);
          await fetch('/tried');
        };
        const of = new URLSearchParams(location.search).get('of');
        if (of !== null) nosy(of);
      </script>`);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    answer: () => waiting.forEach((end) => end()),
    grow: (bytes) => void (growth = bytes),
    get tried() {
      return tried;
    },
    async stop() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

/** The wall clock that each frame of a video shows, in ms modulo 2^32. */
export async function clocksIn({ ffmpeg }: { readonly ffmpeg: string }, file: string): Promise<number[]> {
  const { stdout } = await run(
    ffmpeg,
    [
      ...['-v', 'error', '-i', file, '-vf', `crop=${BITS * BLOCK}:2:0:100,scale=${BITS}:1:flags=area`],
      ...['-pix_fmt', 'gray', '-f', 'rawvideo', '-'],
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
