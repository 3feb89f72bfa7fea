import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { exportKind } from '../../src/exports/export-kind.js';
import { Exports } from '../../src/exports/exports.js';
import type { ExportParts, ExportSettings } from '../../src/exports/parts.js';
import { piecesOf } from '../../src/exports/pieces.js';
import type { ExportRecord, ExportView, Format } from '../../src/exports/record.js';
import { silent } from '../../src/kernel/log.js';
import { FileStorage } from '../../src/storage/file-storage.js';
import type { Storage } from '../../src/storage/storage.js';
import { Metrics } from '../../src/ops/metrics.js';
import { channelOf } from '../../src/topics/channel.js';
import { codeTopic, type CodeTopicOptions } from '../../src/topics/code-topic.js';
import type { ReadRows, Topic } from '../../src/topics/topic.js';
import { VirtualCluster, type VirtualNode } from '../kernel/virtual-cluster.js';

export const SETTINGS: ExportSettings = {
  ttlMs: 3_600_000,
  maxRows: 100_000,
  timeoutMs: 1_800_000,
  pieceRows: 1_000,
  pieceBytes: 1024 * 1024,
  pdfRows: 50,
  announceMs: 260,
};

export const ROOT = 'exports/here';

export interface StageNode extends VirtualNode {
  readonly exports: Exports;
}

export interface StageOptions {
  readonly settings?: Partial<ExportSettings>;
  readonly connectionString?: string;
  /** What the node writes to, given the real folder. */
  readonly storage?: (real: Storage) => Storage;
}

/** The process of exports on real kernels and a real folder, on time that passes only when a test says so. */
export class Stage {
  readonly cluster = new VirtualCluster();
  readonly topics = new Map<string, Topic>();
  /** What users were told, and when on the cluster's clock. */
  readonly told: { readonly at: number; readonly view: ExportView }[] = [];

  /** Of all nodes together. */
  readonly #metrics = new Metrics();

  private constructor(
    readonly folder: string,
    readonly storage: Storage,
    private readonly own: boolean,
  ) {}

  /** @param given a folder that is there; absent: one that goes with the stage */
  static async open(given?: string): Promise<Stage> {
    const folder = given ?? (await mkdtemp(join(tmpdir(), 'pollcast-exports-')));
    return new Stage(folder, new FileStorage(folder), given === undefined);
  }

  /** A topic in code. */
  serve(name: string, read: ReadRows, options: CodeTopicOptions = {}): Topic {
    const topic = codeTopic(name, options, read);
    this.topics.set(name, topic);
    return topic;
  }

  async node(name: string, { settings, connectionString = '', storage }: StageOptions = {}): Promise<StageNode> {
    const parts: ExportParts = {
      root: ROOT,
      storage: storage?.(this.storage) ?? this.storage,
      connectionString,
      node: name,
      clock: this.cluster.time.clock(),
      log: silent,
      settings: { ...SETTINGS, ...settings },
      topic: (wanted) => {
        const topic = this.topics.get(wanted);
        if (!topic) throw new Error(`no topic ${wanted}`);
        return topic;
      },
      enter: () => Promise.resolve(() => undefined),
      urlOf: (route) => route,
      metrics: this.#metrics.exports,
      tell: (_user, view) => {
        this.told.push({ at: this.cluster.time.elapsed, view });
        return Promise.resolve();
      },
    };
    const node = await this.cluster.node(name, [exportKind(parts)]);
    return { ...node, exports: new Exports(node.kernel, node.ports.store, (route) => route) };
  }

  request(node: StageNode, topic: Topic, format: Format, user = 'ada', params = {}): Promise<ExportView> {
    return this.cluster.within(node.exports.request(user, channelOf(topic, params, {}), format));
  }

  /** Lets time pass until the record is as wanted. */
  async until(
    node: StageNode,
    seen: (record: ExportRecord | null) => boolean,
    what = 'the record to be as wanted',
    user = 'ada',
  ): Promise<ExportRecord> {
    let record: ExportRecord | null = null;
    const look = async (): Promise<boolean> => seen((record = await node.exports.record(user)));
    await this.cluster.time.until(look, what, 3_600_000);
    return record as unknown as ExportRecord;
  }

  ended(node: StageNode, user = 'ada'): Promise<ExportRecord> {
    const over = (record: ExportRecord | null): boolean =>
      ['ready', 'error', 'cancelled'].includes(record?.state ?? '');
    return this.until(node, over, 'the end of the export', user);
  }

  /** Figures of exports, as Prometheus is told: `{ 'ended_total{format="csv",state="ready"}': 1 }`; none that is 0. */
  async figures(): Promise<Record<string, number>> {
    const figures: Record<string, number> = {};
    for (const [, name = '', value] of (await this.#metrics.text()).matchAll(/^pollcast_exports_(\S+) (\S+)$/gm)) {
      if (Number(value) !== 0) figures[name] = Number(value);
    }
    return figures;
  }

  file({ pieces }: ExportRecord): Promise<Buffer> {
    return buffer(piecesOf(this.storage, pieces, new AbortController().signal));
  }

  /** What writers have not finished, by path. */
  async unfinished(): Promise<string[]> {
    const paths = [];
    for await (const { path } of this.storage.unfinished(ROOT)) paths.push(path);
    return paths;
  }

  /** All whole files of exports, by path. */
  async files(): Promise<string[]> {
    const paths = [];
    for await (const { path } of this.storage.list(ROOT)) paths.push(path);
    return paths;
  }

  async close(): Promise<void> {
    await this.cluster.close();
    if (this.own) await rm(this.folder, { recursive: true, force: true });
  }
}

/** A storage that does some things otherwise. */
export function altered(real: Storage, change: Partial<Storage>): Storage {
  return {
    write: (path, source, signal) => real.write(path, source, signal),
    read: (path, range) => real.read(path, range),
    stat: (path) => real.stat(path),
    list: (folder) => real.list(folder),
    unfinished: (folder) => real.unfinished(folder),
    delete: (path) => real.delete(path),
    deleteAll: (folder) => real.deleteAll(folder),
    close: () => real.close(),
    ...change,
  };
}
