import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Logger } from '../kernel/log.js';

/** A finished piece of video, playable by itself. */
export interface Piece {
  readonly file: string;
  /** Within what its encoder has written, in ms. */
  readonly fromMs: number;
  readonly ms: number;
}

export interface EncoderSettings {
  readonly ffmpeg: string;
  /** Its whole environment, with the mark. */
  readonly mark: Readonly<Record<string, string>>;
  readonly folder: string;
  readonly framesPerSecond: number;
  readonly segmentSeconds: number;
  readonly log: Logger;
}

export interface EncoderEnd {
  readonly ok: boolean;
  readonly how: string;
}

/**
 * ffmpeg, from JPEG pictures at a fixed rate to a row of short MP4 files. x264 at its fastest costs half of what VP8 does at
 * the same rate, and plays everywhere. Each file is fragmented, a second a fragment: one that was cut off is good up to there.
 */
export class Encoder {
  readonly #child: ChildProcess;
  readonly #pieces: Piece[] = [];
  readonly #errors: string[] = [];
  #given = 0;
  readonly ended: Promise<EncoderEnd>;
  #listener: (piece: Piece) => void = () => undefined;

  constructor(private readonly settings: EncoderSettings) {
    const { ffmpeg, mark } = settings;
    // A group of its own: Ctrl-C in a terminal is for the hub, which ends it in order. It ends by itself when its input does.
    this.#child = spawn(ffmpeg, argumentsOf(settings), {
      env: { ...mark },
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
    });
    this.ended = this.#follow();
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Bytes that it was given and has not taken. */
  get backlog(): number {
    return this.#child.stdin?.writableLength ?? 0;
  }

  /** Bytes that it has taken. */
  get taken(): number {
    return this.#given - this.backlog;
  }

  /** Finished so far, in order. */
  get pieces(): readonly Piece[] {
    return this.#pieces;
  }

  onPiece(listener: (piece: Piece) => void): void {
    this.#listener = listener;
  }

  write(jpeg: Buffer): void {
    if (!this.#child.stdin?.writable) return;
    this.#given += jpeg.length;
    this.#child.stdin.write(jpeg);
  }

  /** No more frames: resolves when the last piece is whole. */
  finish(): Promise<EncoderEnd> {
    this.#child.stdin?.end();
    return this.ended;
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  #follow(): Promise<EncoderEnd> {
    const child = this.#child;
    // Its death is told by `ended`; a write into it is then no news.
    child.stdin?.on('error', () => undefined);
    if (child.stdout) createInterface({ input: child.stdout }).on('line', (line) => this.#listed(line));
    if (child.stderr) {
      createInterface({ input: child.stderr }).on('line', (line) => {
        if (this.#errors.length < 20) this.#errors.push(line);
      });
    }
    return new Promise((resolve) => {
      child.once('error', (error) => {
        if (child.pid === undefined) resolve({ ok: false, how: error.message });
      });
      // Not `exit`: the list of pieces is complete only at `close`.
      child.once('close', (code, signal) => {
        const how = [signal ?? `exit ${code}`, ...this.#errors].join(' · ');
        resolve({ ok: code === 0, how });
      });
    });
  }

  /** `NAME,START,END` in seconds, as each piece is closed. */
  #listed(line: string): void {
    const [name, from, to] = line.split(',');
    if (name === undefined || from === undefined || to === undefined) return;
    const fromMs = Math.round(Number(from) * 1_000);
    const piece = { file: join(this.settings.folder, name), fromMs, ms: Math.round(Number(to) * 1_000) - fromMs };
    if (piece.ms <= 0) return;
    this.#pieces.push(piece);
    this.#listener(piece);
  }
}

function argumentsOf({ folder, framesPerSecond, segmentSeconds }: EncoderSettings): string[] {
  return [
    ...['-hide_banner', '-loglevel', 'error', '-y'],
    ...['-f', 'mjpeg', '-framerate', String(framesPerSecond), '-i', 'pipe:0', '-an'],
    ...['-vf', 'scale=trunc(iw/2)*2:trunc(ih/2)*2:out_range=tv', '-pix_fmt', 'yuv420p'],
    ...['-c:v', 'libx264', '-preset', 'ultrafast', '-tune', 'zerolatency', '-crf', '26', '-threads', '1'],
    // A key frame each second, so that a piece can be cut there, and a player can seek there.
    ...['-g', String(framesPerSecond), '-keyint_min', String(framesPerSecond), '-sc_threshold', '0'],
    ...['-f', 'segment', '-segment_time', String(segmentSeconds), '-reset_timestamps', '1'],
    ...['-segment_format', 'mp4'],
    ...['-segment_format_options', 'movflags=+frag_keyframe+empty_moov+default_base_moof:flush_packets=1'],
    ...['-segment_list', 'pipe:1', '-segment_list_type', 'csv'],
    join(folder, PIECE_PATTERN),
  ];
}

const PIECE_PATTERN = 'piece-%06d.mp4';
