/**
 * A stand-in for the hub while working on the page: `node web/dev/fixture.mjs [port]`, then `npx vite web` with
 * POLLCAST_URL, or open it directly after `npx vite build web`. It lists the real topics of TOPICS_DIR and sends invented
 * rows. Troubles on request:
 *
 *     /dev/status?topic=web.traffic&state=stale&reason=…   the topic's channels go stale, failed or live
 *     /dev/refuse?topic=web.traffic&code=QUERY_FAILED      new subscriptions are refused; without a code: accepted again
 *     /dev/drop?seconds=5                                  all connections end, and none is let in for so long
 */
import { createReadStream } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import helmet from 'helmet';
import { Server } from 'socket.io';
import { parse } from 'yaml';
import { OTHER_ROWS, ROWS } from './fixture-rows.mjs';

const root = join(import.meta.dirname, '../..');
const topicsDir = process.env.TOPICS_DIR ?? join(root, 'topics');
const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };
const ROUND_MS = 1000;
const KEPT_FRAMES = 300;

async function readTopics() {
  const topics = [];
  for (const file of (await readdir(topicsDir, { recursive: true })).filter((one) => one.endsWith('.sql'))) {
    const [, header = ''] = /^\s*\/\*([\s\S]*?)\*\//.exec(await readFile(join(topicsDir, file), 'utf8')) ?? [];
    const {
      title,
      interval = '1s',
      params = {},
      key = [],
      presence = false,
    } = parse(header.replaceAll(/type:\s*(\w+\[\])/g, 'type: "$1"')) ?? {};
    const name = file.slice(0, -4).replaceAll('/', '.');
    topics.push({
      name,
      title: title ?? name,
      interval,
      params: Object.entries(params).map(([one, spec]) => ({ name: one, ...spec })),
      key,
      presence,
    });
  }
  return topics.sort((a, b) => (a.name < b.name ? -1 : 1));
}

const topics = await readTopics();
const channels = new Map();
const refusals = new Map();
let closedUntil = 0;

function rowsOf(topic, params, now) {
  return (ROWS[topic.name] ?? OTHER_ROWS)(now, params);
}

function channelOf(topic, given) {
  const params = Object.fromEntries(topic.params.map(({ name, default: preset }) => [name, given?.[name] ?? preset]));
  const query = Object.keys(params)
    .sort()
    .map((name) => `${name}=${encodeURIComponent(String(params[name]))}`)
    .join('&');
  const name = query === '' ? topic.name : `${topic.name}?${query}`;
  if (!channels.has(name)) {
    const now = Date.now();
    const frames = Array.from({ length: 120 }, (_, n) => {
      const at = now - (119 - n) * 2000;
      return {
        channel: name,
        epoch: 1,
        seq: n + 1,
        polledAt: new Date(at).toISOString(),
        rows: rowsOf(topic, params, at),
      };
    });
    channels.set(name, { name, topic, params, frames, status: undefined });
  }
  return channels.get(name);
}

const secure = helmet({
  contentSecurityPolicy: { directives: { styleSrc: ["'self'"], upgradeInsecureRequests: null } },
});

const http = createServer((request, response) => {
  const url = new URL(request.url, 'http://localhost');
  secure(request, response, () => {
    if (url.pathname === '/api/topics') return json(response, topics);
    if (url.pathname.startsWith('/dev/'))
      return json(response, trouble(url.pathname.slice(5), Object.fromEntries(url.searchParams)));
    void file(url.pathname === '/' ? '/index.html' : url.pathname, response);
  });
});

function json(response, value) {
  response.setHeader('content-type', 'application/json').end(JSON.stringify(value));
}

async function file(path, response) {
  const full = join(root, 'dist/web', normalize(path));
  const found = await stat(full).catch(() => undefined);
  if (!found?.isFile()) return void response.writeHead(404).end('Not found');
  response.setHeader('content-type', TYPES[extname(full)] ?? 'application/octet-stream');
  createReadStream(full).pipe(response);
}

const io = new Server(http, {
  transports: ['websocket'],
  serveClient: false,
  allowRequest: (_request, done) => done(null, Date.now() > closedUntil),
});

function trouble(kind, { topic, state, reason, code, seconds = '0' }) {
  if (kind === 'drop') {
    closedUntil = Date.now() + Number(seconds) * 1000;
    io.disconnectSockets(true);
  }
  if (kind === 'refuse') refusals.set(topic, code);
  for (const channel of channels.values()) {
    if (kind !== 'status' || channel.topic.name !== topic) continue;
    channel.status = { channel: channel.name, state, reason, since: new Date().toISOString() };
    io.to(channel.name).emit('status', channel.status);
  }
  return { ok: true };
}

io.on('connection', (socket) => {
  socket.on('subscribe', ({ topic: name, params }, ack) => {
    const topic = topics.find((one) => one.name === name);
    const code = topic === undefined ? 'UNKNOWN_TOPIC' : refusals.get(name);
    if (code) return ack({ ok: false, error: { code, message: `The topic's query failed at the database.` } });
    const channel = channelOf(topic, params);
    void socket.join(channel.name);
    const { epoch, seq, rows, polledAt } = channel.frames.at(-1);
    ack({ ok: true, channel: channel.name, epoch, seq, rows, polledAt, every: topic.interval, resumed: false });
    if (channel.status !== undefined) socket.emit('status', channel.status);
    if (topic.presence)
      io.to(channel.name).emit('presence', { channel: channel.name, count: viewers(channel), joins: [], leaves: [] });
  });
  socket.on('unsubscribe', ({ channel }, ack) => {
    void socket.leave(channel);
    ack({ ok: true });
  });
  socket.on('presence', ({ channel }, ack) => {
    const known = channels.get(channel);
    if (!known?.topic.presence)
      return ack({ ok: false, error: { code: 'FORBIDDEN', message: 'This topic does not show who watches.' } });
    ack({ ok: true, viewers: [], count: viewers(known) });
  });
  socket.on('history', ({ channel }, ack) => ack({ ok: true, frames: channels.get(channel)?.frames ?? [] }));
});

function viewers(channel) {
  return io.of('/').adapter.rooms.get(channel.name)?.size ?? 0;
}

setInterval(() => {
  for (const channel of channels.values()) {
    if (viewers(channel) === 0 || (channel.status !== undefined && channel.status.state !== 'live')) continue;
    const last = channel.frames.at(-1);
    const rows = rowsOf(channel.topic, channel.params, Date.now());
    if (isDeepStrictEqual(rows, last.rows)) continue;
    const frame = { channel: channel.name, epoch: 1, seq: last.seq + 1, polledAt: new Date().toISOString(), rows };
    channel.frames = [...channel.frames.slice(1 - KEPT_FRAMES), frame];
    io.to(channel.name).emit('frame', frame);
  }
}, ROUND_MS);

http.listen(Number(process.argv[2] ?? 3100), '127.0.0.1', () => console.log(`http://127.0.0.1:${http.address().port}`));
