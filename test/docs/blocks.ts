import { readdirSync, readFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { projectRoot } from '../support/project.js';

/** One fenced block of a page, as it stands there. */
export interface Block {
  /** `docs/start.md:18`: of the line that opens it */
  readonly at: string;
  readonly page: string;
  readonly line: number;
  readonly language: string;
  /**
   * Where the text says that it belongs: `sql topics/sales/biggest.sql`. What lies under `hub/` is the hub's own source,
   * beside `src/`.
   */
  readonly path?: string;
  /** `sh not run: …`: why it cannot be run here. */
  readonly notRun?: string;
  readonly code: string;
}

/** What is done with a block of each language; any other language is a fault. `text` is for pictures and output. */
export const LANGUAGES = ['sh', 'ts', 'tsx', 'js', 'sql', 'json', 'yaml', 'text'];

export const PAGES = [
  'README.md',
  'CONTRIBUTING.md',
  ...readdirSync(join(projectRoot, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];

export function blocksOf(page: string, text = readFileSync(join(projectRoot, page), 'utf8')): Block[] {
  const blocks: Block[] = [];
  const lines = text.split('\n');
  for (let n = 0; n < lines.length; n++) {
    const [, indent = '', fence, info = ''] = /^( *)(`{3,}|~{3,})(.*)$/.exec(lines[n] ?? '') ?? [];
    if (fence === undefined) continue;
    const opened = n;
    const code: string[] = [];
    for (n++; lines[n]?.trim() !== fence; n++) {
      if (n >= lines.length) throw new Error(`${page}:${opened + 1}: the block is not closed`);
      code.push((lines[n] ?? '').replace(new RegExp(`^ {0,${indent.length}}`), ''));
    }
    const [, language = '', rest = ''] = /^\s*(\S*)\s*(.*)$/.exec(info) ?? [];
    const notRun = /^not run: *(.*)$/.exec(rest)?.[1];
    blocks.push({
      at: `${page}:${opened + 1}`,
      page,
      line: opened + 1,
      language,
      ...(notRun === undefined ? (rest ? { path: rest.trim() } : {}) : { notRun }),
      code: `${code.join('\n')}\n`,
    });
  }
  return blocks;
}

/** Code that is indented instead of fenced would escape: lines of four spaces after an empty one, outside of lists. */
export function indentedBlocks(text: string): number[] {
  const lines = text.split('\n');
  let fenced = false;
  let inList = false;
  return lines.flatMap((line, n) => {
    if (/^ *(`{3,}|~{3,})/.test(line)) fenced = !fenced;
    if (/^(\d+\.|[-*]) /.test(line)) inList = true;
    else if (/^\S/.test(line)) inList = false;
    return !fenced && !inList && /^ {4}\S/.test(line) && lines[n - 1] === '' ? [n + 1] : [];
  });
}

export const allBlocks = (): Block[] => PAGES.flatMap((page) => blocksOf(page));

export const isTopic = ({ language, code, path }: Block): boolean =>
  language === 'sql' && (path !== undefined || /^\s*(\/\*|SELECT|WITH)/i.test(code));

/** The demo's topics, for a test's own folder of them. */
export async function demoTopics(): Promise<Record<string, string>> {
  const folder = join(projectRoot, 'topics');
  const names = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.sql'));
  const texts = await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')));
  return Object.fromEntries(names.map((name, n) => [name, texts[n] ?? '']));
}
