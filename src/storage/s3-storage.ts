import { addAbortSignal, Readable } from 'node:stream';
import {
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  paginateListObjectsV2,
  S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { PollcastError } from '../errors.js';
import {
  noSuchFile,
  segmentsOf,
  storageFull,
  storageTrouble,
  type ByteRange,
  type Storage,
  type StoredFile,
} from './storage.js';

/** Two parts of this size are all that an upload keeps in memory. S3 takes 10,000 parts: files of up to 160 GB. */
const PART_BYTES = 16 * 1024 * 1024;
const PARTS_AT_ONCE = 2;
/** The most that one call may delete. */
const DELETED_AT_ONCE = 1_000;
const CONNECT_MS = 5_000;
const REQUEST_MS = 60_000;
const FULL = new Set(['XMinioStorageFull', 'QuotaExceeded', 'InsufficientStorage']);

/**
 * A bucket of an S3-compatible service, described by an address:
 * `s3://[KEY:SECRET@]BUCKET[/PREFIX][?endpoint=https://HOST&region=NAME&pathStyle=on|off]`. Without a key the AWS SDK looks
 * for one where it always does.
 */
export class S3Storage implements Storage {
  readonly #client: S3Client;
  readonly #bucket: string;
  /** What comes before every path: nothing, or a prefix and its slash. */
  readonly #root: string;

  constructor(address: string) {
    const url = new URL(address);
    const endpoint = url.searchParams.get('endpoint') ?? undefined;
    const pathStyle = url.searchParams.get('pathStyle') ?? (endpoint === undefined ? 'off' : 'on');
    this.#bucket = url.host;
    const prefix = decodeURIComponent(url.pathname).replace(/^\/+|\/+$/g, '');
    this.#root = prefix === '' ? '' : `${prefix}/`;
    this.#client = new S3Client({
      endpoint,
      region: url.searchParams.get('region') ?? 'us-east-1',
      forcePathStyle: pathStyle === 'on',
      requestHandler: { connectionTimeout: CONNECT_MS, requestTimeout: REQUEST_MS },
      // Checksums that not every compatible service knows are sent only where they must be.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      ...(url.username === '' ? {} : { credentials: credentialsOf(url) }),
    });
  }

  async write(path: string, source: Readable, signal?: AbortSignal): Promise<number> {
    const seen: { bytes: number; fault?: Error } = { bytes: 0 };
    // It may fail before somebody listens: whoever reads it then is still told.
    source.on('error', () => undefined);
    // An aborted source fails, and an upload whose source fails takes its parts back.
    if (signal) addAbortSignal(signal, source);
    const upload = new Upload({
      client: this.#client,
      params: {
        Bucket: this.#bucket,
        Key: this.#key(path),
        Body: Readable.from(observed(source, seen), { objectMode: false }),
      },
      queueSize: PARTS_AT_ONCE,
      partSize: PART_BYTES,
    });
    try {
      await upload.done();
      return seen.bytes;
    } catch (error) {
      source.destroy();
      if (signal?.aborted) throw signal.reason as Error;
      throw seen.fault ?? trouble(error);
    }
  }

  async read(path: string, range?: ByteRange): Promise<Readable> {
    const key = this.#key(path);
    const Range = range ? `bytes=${range.start}-${range.end ?? ''}` : undefined;
    try {
      const { Body } = await this.#client.send(new GetObjectCommand({ Bucket: this.#bucket, Key: key, Range }));
      return Body as Readable;
    } catch (error) {
      throw isGone(error) ? noSuchFile(path) : trouble(error);
    }
  }

  async stat(path: string): Promise<StoredFile | null> {
    const key = this.#key(path);
    try {
      const head = await this.#client.send(new HeadObjectCommand({ Bucket: this.#bucket, Key: key }));
      return { path, size: head.ContentLength ?? 0, modifiedAt: head.LastModified?.getTime() ?? 0 };
    } catch (error) {
      if (isGone(error)) return null;
      throw trouble(error);
    }
  }

  async *list(folder: string): AsyncIterable<StoredFile> {
    const query = { Bucket: this.#bucket, Prefix: `${this.#key(folder)}/` };
    try {
      for await (const { Contents = [] } of paginateListObjectsV2({ client: this.#client }, query)) {
        for (const { Key = '', Size = 0, LastModified } of Contents) {
          yield { path: Key.slice(this.#root.length), size: Size, modifiedAt: LastModified?.getTime() ?? 0 };
        }
      }
    } catch (error) {
      throw trouble(error);
    }
  }

  async *unfinished(folder: string): AsyncIterable<StoredFile> {
    segmentsOf(folder);
  }

  async delete(path: string): Promise<void> {
    const key = this.#key(path);
    try {
      await this.#client.send(new DeleteObjectCommand({ Bucket: this.#bucket, Key: key }));
    } catch (error) {
      if (!isGone(error)) throw trouble(error);
    }
  }

  async deleteAll(folder: string): Promise<void> {
    let keys: string[] = [];
    const flush = async (): Promise<void> => {
      if (keys.length === 0) return;
      const Delete = { Objects: keys.map((Key) => ({ Key })), Quiet: true };
      keys = [];
      const { Errors = [] } = await this.#client.send(new DeleteObjectsCommand({ Bucket: this.#bucket, Delete }));
      const [first] = Errors;
      if (first) throw new Error(`${first.Key}: ${first.Code} ${first.Message}`);
    };
    try {
      for await (const { path } of this.list(folder)) {
        keys.push(this.#key(path));
        if (keys.length === DELETED_AT_ONCE) await flush();
      }
      await flush();
    } catch (error) {
      throw trouble(error);
    }
  }

  async close(): Promise<void> {
    this.#client.destroy();
  }

  #key(path: string): string {
    segmentsOf(path);
    return this.#root + path;
  }
}

/** Counts what passes, and remembers how it ended: the uploader's errors and the source's look alike afterwards. */
async function* observed(source: Readable, seen: { bytes: number; fault?: Error }): AsyncIterable<Buffer> {
  try {
    for await (const chunk of source as AsyncIterable<Buffer | string>) {
      const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
      seen.bytes += bytes.length;
      yield bytes;
    }
  } catch (error) {
    seen.fault = error as Error;
    throw error;
  }
}

function credentialsOf({ username, password }: URL): { accessKeyId: string; secretAccessKey: string } {
  return { accessKeyId: decodeURIComponent(username), secretAccessKey: decodeURIComponent(password) };
}

function trouble(error: unknown): PollcastError {
  if (error instanceof PollcastError) return error;
  return error instanceof S3ServiceException && FULL.has(error.name) ? storageFull(error) : storageTrouble(error);
}

function isGone(error: unknown): boolean {
  return error instanceof S3ServiceException && error.$metadata.httpStatusCode === 404 && error.name !== 'NoSuchBucket';
}
