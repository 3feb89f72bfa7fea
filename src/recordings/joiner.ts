import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const PATIENCE_MS = 10 * 60_000;

export interface JoinerSettings {
  readonly ffmpeg: string;
  readonly mark: Readonly<Record<string, string>>;
}

/** What ffmpeg does with finished pieces. Nothing is encoded again, so an hour takes about a second. */
export class Joiner {
  constructor(private readonly settings: JoinerSettings) {}

  /** Makes one video that begins to play while it is loaded. */
  async join(pieces: readonly { readonly file: string; readonly ms: number }[], target: string): Promise<void> {
    const list = join(dirname(target), 'pieces.txt');
    // The lengths are given: fragments do not tell theirs beforehand.
    const lines = pieces.map(({ file, ms }) => `file '${basename(file)}'\nduration ${ms / 1_000}\n`);
    await writeFile(list, `ffconcat version 1.0\n${lines.join('')}`);
    await this.#run([
      ...['-f', 'concat', '-safe', '0', '-i', list],
      ...['-c', 'copy', '-movflags', '+faststart', target],
    ]);
  }

  /** Saves what is whole of a piece that was cut off. Resolves with its length in ms; 0: there is nothing. */
  async salvage(file: string, target: string): Promise<number> {
    try {
      const report = await this.#run([
        ...['-i', file, '-c', 'copy', '-movflags', '+frag_keyframe+empty_moov+default_base_moof'],
        ...['-progress', 'pipe:1', target],
      ]);
      const lengths = [...report.matchAll(/^out_time_us=(\d+)/gm)];
      return Math.round(Number(lengths.at(-1)?.[1] ?? 0) / 1_000);
    } catch {
      // Not even its first fragment is there.
      return 0;
    }
  }

  /** A small picture of the moment `atSeconds`. */
  async thumbnail(video: string, atSeconds: number, target: string): Promise<void> {
    await this.#run([
      ...['-ss', atSeconds.toFixed(3), '-i', video, '-frames:v', '1', '-vf', 'scale=480:-2', '-q:v', '4', target],
    ]);
  }

  async #run(args: readonly string[]): Promise<string> {
    const { ffmpeg, mark } = this.settings;
    const { stdout } = await run(ffmpeg, ['-hide_banner', '-loglevel', 'error', '-nostdin', '-y', ...args], {
      env: { ...mark },
      timeout: PATIENCE_MS,
      killSignal: 'SIGKILL',
    });
    return stdout;
  }
}
