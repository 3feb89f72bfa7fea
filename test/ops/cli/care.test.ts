import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { loadEnvFile } from '../../../src/ops/cli/env-file.js';
import { EXAMPLES } from '../../../src/ops/cli/examples.js';
import { Progress } from '../../../src/ops/cli/progress.js';
import { eventually } from '../../support/eventually.js';
import { projectRoot } from '../../support/project.js';
import { cli } from './run.js';

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'pollcast-care-'));
});
afterEach(() => rm(home, { recursive: true, force: true }));

describe('help', () => {
  /** Every command that there is, found by asking for help. */
  async function commands(path: string[] = []): Promise<string[][]> {
    const { out } = await cli([...path, '--help']);
    const [, list = ''] = out.split('\nCommands:\n');
    const names = [...list.split('\n\n')[0]!.matchAll(/^ {2}([a-z]+)/gm)].map(([, name]) => name as string);
    const below = await Promise.all(names.filter((name) => name !== 'help').map((name) => commands([...path, name])));
    return [path, ...below.flat()];
  }

  test('of every command has examples, and each of them can be parsed', async () => {
    const all = await commands();
    expect(all.length).toBeGreaterThan(12);
    for (const path of all) {
      const { code, out } = await cli([...path, '--help']);
      expect({ path, code, examples: /\nExamples?:\n {2}/.test(out) }).toEqual({ path, code: 0, examples: true });
    }
    const lines = Object.values(EXAMPLES).flatMap((examples) => examples.map(([line]) => line));
    for (const line of lines) {
      const words = /pollcast ([^|>)]*)/.exec(line)?.[1]?.trim().split(' ') ?? [];
      // Help comes before anything is done, but after unknown words and options were found out.
      expect({ line, ...(await cli([...words, '--help'])) }).toMatchObject({ line, code: 0, error: '' });
    }
  });

  test('is pointed at by every complaint about a command line', async () => {
    expect((await cli(['stop'])).error).toContain('(see `pollcast stop --help`)');
    expect((await cli(['topics', 'chekc'])).error).toContain('(see `pollcast topics --help`)');
    expect((await cli(['nodes', '--wrong'])).error).toContain('(see `pollcast nodes --help`)');
    expect((await cli(['nonsense'])).error).toContain('(see `pollcast --help`)');
  });
});

describe('what went wrong', () => {
  test('is told with what to do: no topics, no database', async () => {
    const nowhere = join(home, 'nowhere');
    expect(await cli(['topics'], { env: { TOPICS_DIR: nowhere } })).toMatchObject({
      code: 2,
      error: expect.stringMatching(/does not exist\. `pollcast init` writes a first topic/),
    });
    await writeFile(join(home, 'one.sql'), 'SELECT 1 AS one\n');
    const DATABASE_URL = 'postgres://nobody@127.0.0.1:1/none';
    const { code, out } = await cli(['topics', 'check'], { env: { TOPICS_DIR: home, DATABASE_URL } });
    expect(code).toBe(1);
    expect(out).toMatch(/DATABASE_URL.*cannot be asked.*\(is DATABASE_URL right, and does it run\?\)/);
  });

  test('colours and progress are for terminals: a pipe gets plain text', async () => {
    await writeFile(join(home, 'broken.sql'), 'SELEC 1\n');
    const child = await new Promise<{ code: unknown; text: string }>((resolve) => {
      execFile(
        process.execPath,
        [join(projectRoot, 'dist', 'cli.js'), 'topics', 'check'],
        { env: { PATH: process.env.PATH, TOPICS_DIR: home, DATABASE_URL: 'postgres://x@127.0.0.1:1/x' }, cwd: home },
        (error, stdout, stderr) => resolve({ code: error?.code, text: stdout + stderr }),
      );
    });
    expect(child.code).toBe(1);
    expect(child.text).toContain('error');
    expect(child.text).not.toContain('\u001b');
  });
});

describe('progress', () => {
  test('is one line, written over, and gone before anything else is said', async () => {
    const written: string[] = [];
    const progress = new Progress({ error: (text) => void written.push(text), live: true, columns: 20 }, 0);
    progress.say('Checking: 1 of 40 …');
    await eventually(() => written.length > 0, { what: 'the first line' });
    progress.say('Checking: 2 of 40, which is much too long for it');
    progress.end();
    const clear = '\r\u001b[2K';
    expect(written).toEqual([`${clear}Checking: 1 of 40 …`, `${clear}Checking: 2 of 40, `, clear]);
  });

  test('is nothing where there is no terminal, and nothing when it was quick', async () => {
    const written: string[] = [];
    const error = (text: string) => void written.push(text);
    const piped = new Progress({ error, live: false }, 0);
    expect(await piped.during('Working …', async () => 7)).toBe(7);
    const quick = new Progress({ error, live: true }, 60_000);
    await expect(quick.during('Working …', () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(written).toEqual([]);
  });
});

describe('a .env', () => {
  test('adds what the environment does not say', async () => {
    const file = join(home, '.env');
    await writeFile(file, '# mine\nPORT=3001\nNODE_NAME="a b"\n');
    const env: Record<string, string | undefined> = { PORT: '4000' };
    loadEnvFile(file, env);
    expect(env).toEqual({ PORT: '4000', NODE_NAME: 'a b' });
  });

  test('that is missing is no fault, and one that cannot be read is', () => {
    const env = {};
    loadEnvFile(join(home, '.env'), env);
    expect(env).toEqual({});
    expect(() => loadEnvFile(home, env)).toThrow(/cannot be read \(EISDIR\): make it readable, or remove it/);
  });
});
