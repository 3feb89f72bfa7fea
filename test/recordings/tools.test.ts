import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { systemClock } from '../../src/kernel/clock.js';
import { silent, type Logger } from '../../src/kernel/log.js';
import { RecorderNode, type RecorderNodeSettings } from '../../src/recordings/recorder-node.js';
import { findTools, slotsOf } from '../../src/recordings/tools.js';

let folder: string;
/** Programs that answer as the real ones do. */
let chromiumPath: string;
let ffmpegPath: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pollcast-tools-'));
  chromiumPath = await program('chromium', 'Chromium 140.0.7339.207');
  ffmpegPath = await program('ffmpeg', ' V....D libx264  H.264');
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function program(name: string, says: string): Promise<string> {
  const file = join(folder, name);
  await writeFile(file, `#!/bin/sh\necho '${says}'\n`);
  await chmod(file, 0o755);
  return file;
}

describe('the programs of a recorder', () => {
  test('are found on the PATH', async () => {
    expect(await findTools({ path: `/nowhere:${folder}` })).toEqual({
      tools: { chromium: chromiumPath, ffmpeg: ffmpegPath },
    });
  });

  test('that are missing are told with the packages that have them', async () => {
    const found = await findTools({ path: '/nowhere' });
    expect(found).toEqual({
      missing:
        'a Chromium is not on the PATH: install the package chromium-headless-shell or chromium, or set CHROMIUM_PATH; ' +
        'ffmpeg with libx264 is not on the PATH: install the package ffmpeg, or set FFMPEG_PATH',
    });
  });

  test('that are something else are told by their variable', async () => {
    const other = await program('other', 'ffmpeg without any encoder');
    expect(await findTools({ path: '', chromiumPath: '/no/chromium', ffmpegPath: other })).toEqual({
      missing: expect.stringMatching(
        /^CHROMIUM_PATH: expected a Chromium .*\/no\/chromium is none.*; FFMPEG_PATH: expected ffmpeg with libx264/,
      ),
    });
  });
});

test.each([
  [8, 64, 8],
  [8, 7, 3],
  [2, 1, 1],
])('%i cores and %i GB are enough for %i at a time', (cores, gigabytes, slots) => {
  expect(slotsOf({ cores, bytes: gigabytes * 1024 ** 3 })).toBe(slots);
});

describe('a node says at its start', () => {
  interface Said {
    readonly level: string;
    readonly fields: object;
    readonly message: string;
  }

  async function open(settings: Partial<RecorderNodeSettings>): Promise<{ node: RecorderNode; said: Said[] }> {
    const said: Said[] = [];
    const note =
      (level: string) =>
      (fields: object, message = ''): void =>
        void said.push({ level, fields, message });
    const log: Logger = { ...silent, info: note('info'), warn: note('warn') };
    const node = new RecorderNode({
      ...{ allow: [], environment: { PATH: '/nowhere' }, size: { width: 640, height: 360 }, host: '127.0.0.1' },
      ...{ cluster: 'tools', node: 'n1', ticket: () => ({ name: 't', value: 'v' }), server: () => createServer() },
      ...{ clock: systemClock, log },
      ...settings,
    });
    await node.open();
    return { node, said };
  }

  test('how many slots it has, and by what', async () => {
    const given = await open({ chromiumPath, ffmpegPath, slots: 3 });
    expect(given.node.slots).toBe(3);
    expect(given.said[0]).toEqual({
      level: 'info',
      fields: { slots: 3, by: 'RECORDER_SLOTS' },
      message: 'this node makes recordings',
    });
    const counted = await open({ chromiumPath, ffmpegPath });
    expect(counted.node.slots).toBe(slotsOf());
    expect(counted.said[0]?.fields).toEqual({ slots: slotsOf(), by: 'cores and memory' });
  });

  test('that it has none without a browser; louder when it was told to have some', async () => {
    const { node, said } = await open({ ffmpegPath });
    expect(node.slots).toBe(0);
    expect(said).toEqual([
      {
        level: 'info',
        fields: { slots: 0 },
        message: expect.stringMatching(/^this node makes no recordings: a Chromium is not on the PATH/),
      },
    ]);
    expect((await open({ ffmpegPath, slots: 2 })).said).toMatchObject([{ level: 'warn', fields: { slots: 0 } }]);
  });

  test('nothing when it is to have none', async () => {
    const { node, said } = await open({ chromiumPath, ffmpegPath, slots: 0 });
    expect([node.slots, said]).toEqual([0, []]);
  });

  test('that the browser has no sandbox, when it runs as root', async () => {
    const { said } = await open({ chromiumPath, ffmpegPath, slots: 1 });
    const warnings = said.filter(({ level }) => level === 'warn').map(({ message }) => message);
    expect(warnings).toEqual(process.getuid?.() === 0 ? [expect.stringContaining('has no sandbox')] : []);
  });
});
