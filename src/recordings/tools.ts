import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { availableParallelism, totalmem } from 'node:os';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The programs that a recorder needs. */
export interface Tools {
  readonly chromium: string;
  readonly ffmpeg: string;
}

export interface ToolPaths {
  readonly chromiumPath?: string;
  readonly ffmpegPath?: string;
  /** Folders to look in, as in PATH. */
  readonly path: string;
}

const BROWSERS = [
  'chromium-headless-shell',
  'chromium',
  'chromium-browser',
  'google-chrome-stable',
  'google-chrome',
  'chrome',
];
const BYTES_PER_SLOT = 1024 ** 3;

/** The first Chromium in the folders of `path`, if there is one. */
export function findBrowser(path: string): string | undefined {
  return onPath(BROWSERS, path);
}

/** What is there, or why there can be no recordings here: a sentence that names the packages. */
export async function findTools(paths: ToolPaths): Promise<{ tools: Tools } | { missing: string }> {
  const chromium = paths.chromiumPath ?? findBrowser(paths.path);
  const ffmpeg = paths.ffmpegPath ?? onPath(['ffmpeg'], paths.path);
  const missing = [
    await trouble(
      chromium,
      ['--version', '--no-sandbox'],
      /\d+\.\d+/,
      'a Chromium',
      'CHROMIUM_PATH',
      'chromium-headless-shell or chromium',
    ),
    await trouble(ffmpeg, ['-hide_banner', '-encoders'], /libx264/, 'ffmpeg with libx264', 'FFMPEG_PATH', 'ffmpeg'),
  ].filter((sentence) => sentence !== null);
  if (missing.length > 0) return { missing: missing.join('; ') };
  return { tools: { chromium: chromium as string, ffmpeg: ffmpeg as string } };
}

/** As many as cores and memory carry: one recording is most of a core. */
export function slotsOf(machine: { cores: number; bytes: number } = thisMachine()): number {
  return Math.max(1, Math.min(machine.cores, Math.floor(machine.bytes / BYTES_PER_SLOT / 2)));
}

function thisMachine(): { cores: number; bytes: number } {
  return { cores: availableParallelism(), bytes: totalmem() };
}

async function trouble(
  file: string | undefined,
  args: string[],
  expected: RegExp,
  what: string,
  variable: string,
  packages: string,
): Promise<string | null> {
  if (file === undefined) return `${what} is not on the PATH: install the package ${packages}, or set ${variable}`;
  try {
    const { stdout } = await run(file, args, { timeout: 20_000, maxBuffer: 4 * 1024 * 1024 });
    if (expected.test(stdout)) return null;
  } catch {
    // Said below: what a foreign program prints is no help.
  }
  return `${variable}: expected ${what} (package ${packages}), but ${file} is none, or does not run`;
}

function onPath(names: readonly string[], path: string): string | undefined {
  const folders = path.split(delimiter).filter(Boolean);
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
