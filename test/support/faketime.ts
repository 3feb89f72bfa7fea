import { existsSync, readdirSync } from 'node:fs';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { provide } from '../../scripts/services.mjs';

export interface SteppedClock {
  /** For the program whose clock it is. */
  readonly env: Record<string, string>;
  /** From now on its wall clock is this far from the machine's; its monotonic clock goes on as it was. */
  step(ms: number): Promise<void>;
  remove(): Promise<void>;
}

/** A wall clock of one program that a test may step, by libfaketime. */
export async function steppedClock(): Promise<SteppedClock> {
  const { bin } = await provide('faketime');
  const library = besideOf(bin);
  const dir = await mkdtemp(join(tmpdir(), 'pollcast-clock-'));
  const file = join(dir, 'offset');
  const step = async (ms: number): Promise<void> => {
    // Renamed into its place: it is read at any moment.
    await writeFile(`${file}.next`, `${ms < 0 ? '' : '+'}${ms / 1000}s\n`);
    await rename(`${file}.next`, file);
  };
  await step(0);
  return {
    env: {
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_CACHE_DURATION: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      NO_FAKE_STAT: '1',
    },
    step,
    remove: () => rm(dir, { recursive: true, force: true }),
  };
}

/** `/usr/lib/<machine>/faketime/libfaketime.so.1` beside `/usr/bin/faketime`. */
function besideOf(bin: string): string {
  const lib = join(dirname(dirname(bin)), 'lib');
  const found = [lib, ...readdirSync(lib).map((name) => join(lib, name))]
    .map((folder) => join(folder, 'faketime', 'libfaketime.so.1'))
    .find((file) => existsSync(file));
  if (!found) throw new Error(`there is no libfaketime.so.1 below ${lib}`);
  return found;
}
