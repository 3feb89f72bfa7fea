import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { codeTopic } from '../../src/topics/code-topic.js';
import { TopicCatalogue, type CatalogueOptions } from '../../src/topics/catalogue.js';
import { eventually } from '../support/eventually.js';

const one = (title: string) => `/*\ntitle: ${title}\n*/\nSELECT 1 AS one\n`;

let dir: string;
const open: TopicCatalogue[] = [];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'pollcast-topics-'));
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((catalogue) => catalogue.close()));
  await rm(dir, { recursive: true, force: true });
});

async function write(file: string, text: string): Promise<void> {
  await mkdir(dirname(join(dir, file)), { recursive: true });
  await writeFile(join(dir, file), text);
}

/** The catalogue and, in order, all that it tells. */
async function catalogueOf(
  options: CatalogueOptions = {},
): Promise<{ catalogue: TopicCatalogue; told: string[]; errors: unknown[] }> {
  const errors: unknown[] = [];
  const catalogue = await TopicCatalogue.open(dir, {
    graceMs: 40,
    onError: (error) => errors.push(error),
    ...options,
  });
  open.push(catalogue);
  const told: string[] = [];
  catalogue.on('changed', (topic, previous) =>
    told.push(`changed ${topic.name}: ${previous?.title ?? 'new'} → ${topic.title}`),
  );
  catalogue.on('removed', (name) => told.push(`removed ${name}`));
  catalogue.on('faults', (file, faults) => told.push(`faults ${file}: ${faults.length}`));
  return { catalogue, told, errors };
}

describe('a catalogue', () => {
  test('serves the files of a folder by name, and reports the broken ones', async () => {
    await write('top.sql', one('Top'));
    await write('sales/eu/by_day.sql', one('Deep'));
    await write('sales/broken.sql', 'SELECT :nope');
    await write('sales/Wrong Name.sql', one('x'));
    await write('.hidden/x.sql', 'nonsense');
    await write('sales/.x.sql', 'nonsense');
    await write('notes.txt', 'nonsense');
    await write('sales/by_day.sql~', 'nonsense');
    const { catalogue } = await catalogueOf({ watch: false });
    expect(catalogue.list().map(({ name }) => name)).toEqual(['sales.eu.by_day', 'top']);
    expect(catalogue.get('top').title).toBe('Top');
    expect(catalogue.find('sales.broken')).toBeUndefined();
    expect(catalogue.faults()).toEqual([
      {
        file: 'sales/Wrong Name.sql',
        line: 1,
        column: 1,
        severity: 'error',
        message: expect.stringContaining('sales/wrong_name.sql') as unknown,
      },
      {
        file: 'sales/broken.sql',
        line: 1,
        column: 8,
        severity: 'error',
        message: 'parameter `:nope` is not declared under params',
      },
    ]);
  });

  test('names the nearest topic for one that it lacks', async () => {
    await write('sales/by_region.sql', one('x'));
    const { catalogue } = await catalogueOf({ watch: false });
    expect(() => catalogue.get('sales.by_regoin')).toThrow(
      expect.objectContaining({
        code: 'UNKNOWN_TOPIC',
        message: 'there is no topic `sales.by_regoin`: did you mean `sales.by_region`?',
      }),
    );
    expect(() => catalogue.get('__proto__')).toThrow(expect.objectContaining({ code: 'UNKNOWN_TOPIC' }));
    expect(() => catalogue.get('x'.repeat(1e6))).toThrow(
      expect.objectContaining({ message: expect.stringMatching(/^.{100,200}$/) as unknown }),
    );
  });

  test('does not open without its folder', async () => {
    await expect(TopicCatalogue.open(join(dir, 'nowhere'))).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringContaining('it does not exist') as unknown,
    });
  });

  test('opens an empty folder', async () => {
    const { catalogue } = await catalogueOf();
    expect(catalogue.list()).toEqual([]);
  });
});

describe('while it runs, a catalogue', () => {
  test('takes over files that are new, changed and removed', async () => {
    const { catalogue, told } = await catalogueOf();
    await write('a/b.sql', one('First'));
    await eventually(() => told.length === 1);
    await write('a/b.sql', one('Second'));
    await eventually(() => told.length === 2);
    expect(catalogue.get('a.b').title).toBe('Second');
    await rm(join(dir, 'a/b.sql'));
    await eventually(() => told.length === 3);
    expect(told).toEqual(['changed a.b: new → First', 'changed a.b: First → Second', 'removed a.b']);
    expect(catalogue.list()).toEqual([]);
  });

  test('keeps the last good version in force while a file is broken', async () => {
    await write('a.sql', one('Good'));
    const { catalogue, told } = await catalogueOf();
    await write('a.sql', 'SELECT FROM WHERE');
    await eventually(() => catalogue.faults().length > 0);
    expect(catalogue.get('a').title).toBe('Good');
    await write('a.sql', one('Better'));
    await eventually(() => catalogue.get('a').title === 'Better');
    // A file that is being written may be read while it is empty: a fault too, and told as another one.
    const each = told.filter((line, i) => line !== told[i - 1]);
    expect(each).toEqual(['faults a.sql: 1', 'faults a.sql: 0', 'changed a: Good → Better']);
    expect(catalogue.faults()).toEqual([]);
  });

  test('ends the topic of a broken file when the file goes', async () => {
    await write('a.sql', one('Good'));
    const { catalogue, told } = await catalogueOf();
    await write('a.sql', 'SELECT FROM WHERE');
    await eventually(() => catalogue.faults().length > 0);
    await rm(join(dir, 'a.sql'));
    await eventually(() => told.includes('removed a'));
    expect(told).toEqual(['faults a.sql: 1', 'faults a.sql: 0', 'removed a']);
  });

  test.each<[string, (text: string) => Promise<void>]>([
    [
      'renames a draft over the file',
      async (text) => {
        await write('.a.sql.tmp', text);
        await rename(join(dir, '.a.sql.tmp'), join(dir, 'a.sql'));
      },
    ],
    [
      'moves the file away and writes a new one',
      async (text) => {
        await rename(join(dir, 'a.sql'), join(dir, 'a.sql~'));
        await write('a.sql', text);
      },
    ],
    [
      'removes the file and writes it again',
      async (text) => {
        await rm(join(dir, 'a.sql'));
        await write('a.sql', text);
      },
    ],
  ])('sees one change when an editor %s', async (_, save) => {
    await write('a.sql', one('v0'));
    // A grace that outlasts any pause of this machine between the editor's two steps.
    const { catalogue, told } = await catalogueOf({ graceMs: 400 });
    for (const title of ['v1', 'v2', 'v3']) {
      await save(one(title));
      await eventually(() => catalogue.find('a')?.title === title);
    }
    expect(told).toEqual(['changed a: v0 → v1', 'changed a: v1 → v2', 'changed a: v2 → v3']);
  });

  test('says nothing when a file is written with the same text', async () => {
    await write('a.sql', one('Same'));
    const { catalogue, told } = await catalogueOf();
    await write('a.sql', one('Same'));
    await write('b.sql', one('Other'));
    await eventually(() => told.length > 0);
    await catalogue.reload();
    expect(told).toEqual(['changed b: new → Other']);
  });

  test('follows a renamed folder', async () => {
    await write('old/a.sql', one('x'));
    const { catalogue, told } = await catalogueOf();
    await rename(join(dir, 'old'), join(dir, 'new'));
    await eventually(() => told.length === 2);
    expect(catalogue.list().map(({ name }) => name)).toEqual(['new.a']);
    expect([...told].sort()).toEqual(['changed new.a: new → x', 'removed old.a']);
  });

  test('may be heard by as many pollers as a node has', async () => {
    const { catalogue } = await catalogueOf();
    const warned: unknown[] = [];
    const warn = (warning: unknown): void => void warned.push(warning);
    process.on('warning', warn);
    for (let i = 0; i < 50; i++) catalogue.on('removed', () => undefined);
    // Warnings are told in the next turn.
    await new Promise((resolve) => setImmediate(resolve));
    process.off('warning', warn);
    expect(warned).toEqual([]);
  });

  test('goes on when a listener throws, and tells who watches over it', async () => {
    const { catalogue, errors } = await catalogueOf({ watch: false });
    const late: string[] = [];
    catalogue.on('changed', () => {
      throw new Error('listener');
    });
    catalogue.on('changed', (topic) => late.push(topic.name));
    await write('a.sql', one('x'));
    await write('b.sql', one('y'));
    await catalogue.reload();
    expect(late).toEqual(['a', 'b']);
    expect(errors).toEqual([new Error('listener'), new Error('listener')]);
  });

  test('keeps its topics when the whole folder is gone, and says why', async () => {
    await write('a.sql', one('x'));
    const { catalogue, errors } = await catalogueOf({ watch: false });
    await rm(dir, { recursive: true });
    await expect(catalogue.reload()).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(errors).toHaveLength(1);
    expect(catalogue.get('a').title).toBe('x');
  });

  test('is silent once it is closed', async () => {
    await write('a.sql', one('x'));
    const { catalogue, told } = await catalogueOf();
    await write('a.sql', one('y'));
    await Promise.all([catalogue.close(), catalogue.close()]);
    const before = told.length;
    await write('a.sql', one('z'));
    await catalogue.reload();
    expect(told).toHaveLength(before);
  });
});

describe('topics in code', () => {
  test('stand beside those in files, and are told of as new', async () => {
    await write('top.sql', one('Top'));
    const { catalogue, told } = await catalogueOf({ watch: false });
    catalogue.define(codeTopic('ops.clock', { title: 'Clock' }, () => []));
    expect(catalogue.list().map(({ name }) => name)).toEqual(['ops.clock', 'top']);
    expect(catalogue.get('ops.clock').read).toBeDefined();
    expect(() => catalogue.get('ops.clok')).toThrow('did you mean `ops.clock`');
    expect(told).toEqual(['changed ops.clock: new → Clock']);
    expect(() => catalogue.define(codeTopic('ops.clock', {}, () => []))).toThrow('two topics in code');
  });

  test('go before a file of the same name, which is a fault', async () => {
    await write('ops/clock.sql', one('File'));
    const { catalogue, told } = await catalogueOf({ watch: false });
    catalogue.define(codeTopic('ops.clock', { title: 'Code' }, () => [], 'Clock.now'));
    expect(catalogue.get('ops.clock').title).toBe('Code');
    expect(catalogue.list()).toHaveLength(1);
    expect(catalogue.faults()).toEqual([
      {
        file: 'ops/clock.sql',
        line: 1,
        severity: 'error',
        message: 'the topic ops.clock is written in code (Clock.now): rename this file',
      },
    ]);
    await write('ops/clock.sql', one('Other'));
    await catalogue.reload();
    expect(catalogue.get('ops.clock').title).toBe('Code');
    await rm(join(dir, 'ops/clock.sql'));
    await catalogue.reload();
    expect(catalogue.faults()).toEqual([]);
    expect(catalogue.get('ops.clock').title).toBe('Code');
    expect(told).toEqual(['faults ops/clock.sql: 1', 'changed ops.clock: File → Code', 'faults ops/clock.sql: 0']);
  });
});
