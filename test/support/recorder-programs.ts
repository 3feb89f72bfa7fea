import { chmod, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** A program and the environment that it needs. */
interface Found {
  readonly bin: string;
  readonly env: Readonly<Record<string, string>>;
}

/** Chromium, ffmpeg and ffprobe as programs that need no environment of their own: a recorder gives them none. */
export async function recorderPrograms(
  folder: string,
  chromium: Found,
  ffmpeg: Found,
): Promise<{ chromium: string; ffmpeg: string; ffprobe: string }> {
  const wrap = async (name: string, bin: string, env: Found['env']): Promise<string> => {
    const file = join(folder, name);
    const exports = Object.entries(env).map(([key, value]) => `export ${key}='${value}'\n`);
    await writeFile(file, `#!/bin/sh\n${exports.join('')}exec '${bin}' "$@"\n`);
    await chmod(file, 0o755);
    return file;
  };
  return {
    chromium: await wrap('chromium', chromium.bin, chromium.env),
    ffmpeg: await wrap('ffmpeg', ffmpeg.bin, ffmpeg.env),
    ffprobe: await wrap('ffprobe', join(dirname(ffmpeg.bin), 'ffprobe'), ffmpeg.env),
  };
}
