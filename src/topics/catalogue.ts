import { EventEmitter } from 'node:events';
import { watch, type FSWatcher } from 'chokidar';
import { PollcastError } from '../errors.js';
import { listTopicFiles, parseRead, readTopicFile } from './files.js';
import { didYouMean } from './nearest.js';
import type { Dialect } from './policy.js';
import type { Topic, TopicFault } from './topic.js';

export interface CatalogueEvents {
  /** A topic is new (`previous` undefined) or another version of it is in force. */
  changed: [topic: Topic, previous: Topic | undefined];
  /** The file of a topic is gone for good. */
  removed: [name: string, previous: Topic];
  /** The faults of a file are others than before; empty when it is whole again. */
  faults: [file: string, faults: readonly TopicFault[]];
}

export interface CatalogueOptions {
  /** Of the database that the files are for (default `postgres`). */
  readonly dialect?: Dialect;
  /** Follow changes of the files (default true). */
  readonly watch?: boolean;
  /** How long a file must be gone before its topic ends, in ms (default 250): editors save by way of a gap. */
  readonly graceMs?: number;
  /** Told of listeners that throw and of a failing watcher; neither harms the catalogue. Default: a process warning. */
  readonly onError?: (error: unknown) => void;
}

/** How long files must be quiet before they are read again: half-written ones are rarely seen, and many changes are one look. */
const SETTLE_MS = 50;

interface Entry {
  /** What was read last: text, or why it could not be read. */
  readonly seen: string;
  /** The version in force: the last one without an error, even while the file is broken. */
  readonly topic?: Topic;
  readonly faults: readonly TopicFault[];
}

/**
 * The topics of a folder, kept up to date.
 *
 * Events of the file system only say when to look, never what happened: each look lists the whole folder and compares
 * it with what was read before, one look at a time. So lost, doubled or misordered events cost nothing but a look.
 *
 * File names map one to one to topic names (segments have no dots), so two files never claim one topic. Topics that are
 * written in code (`define`) stand beside them; a file of the same name is a fault, and waits until the name is free.
 */
export class TopicCatalogue extends EventEmitter<CatalogueEvents> {
  private readonly entries = new Map<string, Entry>();
  private readonly topics = new Map<string, Topic>();
  private readonly coded = new Map<string, Topic>();
  private watcher: FSWatcher | undefined;
  private settling: NodeJS.Timeout | undefined;
  /** The end of the chain of looks; it never rejects. */
  private looking: Promise<void> = Promise.resolve();
  private readonly closing = new AbortController();
  private closed: Promise<void> | undefined;

  private constructor(
    /** `null`: all topics are written in code. */
    readonly dir: string | null,
    private readonly options: CatalogueOptions,
  ) {
    super();
    // Each poller of a node listens: eleven are no leak to be warned of.
    this.setMaxListeners(0);
  }

  /**
   * Reads the folder and starts to watch it. Files with faults are reported by `faults()` and left out; the others are served.
   *
   * @throws PollcastError `NOT_FOUND` when there is no such folder
   */
  static async open(dir: string | null, options: CatalogueOptions = {}): Promise<TopicCatalogue> {
    const catalogue = new TopicCatalogue(dir, options);
    if (dir === null) return catalogue;
    await listTopicFiles(dir);
    try {
      // Watching starts before the first look, so that no change falls between the two.
      if (options.watch !== false) await catalogue.startWatching(dir);
      await catalogue.look(dir);
    } catch (error) {
      await catalogue.close();
      throw error;
    }
    return catalogue;
  }

  /**
   * @throws PollcastError `UNKNOWN_TOPIC` that names the nearest one
   */
  get(name: string): Topic {
    const topic = this.find(name);
    if (topic) return topic;
    const shown = name.length > 100 ? `${name.slice(0, 100)}…` : name;
    const known = this.list().map((one) => one.name);
    throw new PollcastError('UNKNOWN_TOPIC', `there is no topic \`${shown}\`${didYouMean(name, known)}`);
  }

  find(name: string): Topic | undefined {
    return this.coded.get(name) ?? this.topics.get(name);
  }

  /** All topics in force, by name. */
  list(): Topic[] {
    const all = new Map([...this.topics, ...this.coded]);
    return [...all.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** All present faults, by file and line. */
  faults(): TopicFault[] {
    return [...this.entries.keys()].sort().flatMap((file) => this.faultsOf(file));
  }

  /**
   * Puts a topic that is written in code in force.
   *
   * @throws PollcastError `CONFLICT` when there is one of that name already
   */
  define(topic: Topic): void {
    const known = this.coded.get(topic.name);
    if (known) {
      throw new PollcastError(
        'CONFLICT',
        `two topics in code are named ${topic.name}: ${known.file} and ${topic.file}`,
      );
    }
    const previous = this.topics.get(topic.name);
    this.coded.set(topic.name, topic);
    if (previous) this.tell('faults', previous.file, this.faultsOf(previous.file));
    this.tell('changed', topic, previous);
  }

  /** Looks now; resolves when what lies in the folder is in force. */
  async reload(): Promise<void> {
    const { dir } = this;
    if (dir === null) return;
    const look = this.looking.then(() => this.look(dir));
    this.looking = look.catch(this.report);
    await look;
  }

  /** Idempotent; resolves when no look is under way any more. */
  close(): Promise<void> {
    this.closed ??= (async () => {
      this.closing.abort();
      clearTimeout(this.settling);
      await this.watcher?.close();
      await this.looking;
    })();
    return this.closed;
  }

  private async startWatching(dir: string): Promise<void> {
    const watcher = watch(dir, { ignoreInitial: true });
    this.watcher = watcher;
    await new Promise<void>((resolve, reject) => {
      watcher.once('ready', resolve).once('error', reject);
    });
    watcher.removeAllListeners('error');
    const soon = (): void => this.lookSoon(SETTLE_MS);
    // `raw` too: chokidar throttles, and of two quick saves by rename it can miss the second.
    watcher.on('error', this.report).on('all', soon).on('raw', soon);
  }

  private lookSoon(ms: number): void {
    if (this.closing.signal.aborted) return;
    clearTimeout(this.settling);
    this.settling = setTimeout(() => void this.reload().catch(() => undefined), ms); // reload reports it
  }

  private async look(dir: string): Promise<void> {
    const files = await listTopicFiles(dir);
    const gone = [...this.entries.keys()].filter((file) => !files.includes(file));
    for (const file of files) {
      const read = await readTopicFile(dir, file);
      if (this.closing.signal.aborted) return;
      if (read === undefined) {
        if (this.entries.has(file)) gone.push(file);
        continue;
      }
      const seen = 'text' in read ? read.text : read.error;
      const before = this.entries.get(file);
      if (before?.seen === seen) continue;
      const parsed = parseRead(file, read, this.options.dialect);
      this.accept(file, { seen, topic: parsed.topic ?? before?.topic, faults: parsed.faults });
    }
    if (gone.length === 0) return;
    await pause(this.options.graceMs ?? 250, this.closing.signal);
    const still = this.closing.signal.aborted ? gone : await listTopicFiles(dir);
    for (const file of gone) {
      if (!still.includes(file)) this.forget(file);
      else this.lookSoon(0);
    }
  }

  private accept(file: string, entry: Entry): void {
    const before = this.entries.get(file);
    const faultsBefore = this.faultsOf(file);
    this.entries.set(file, entry);
    if (entry.topic) this.topics.set(entry.topic.name, entry.topic);
    const faults = this.faultsOf(file);
    if (!sameFaults(faultsBefore, faults)) this.tell('faults', file, faults);
    if (!entry.topic || entry.topic === before?.topic || this.coded.has(entry.topic.name)) return;
    this.tell('changed', entry.topic, before?.topic);
  }

  private faultsOf(file: string): readonly TopicFault[] {
    const { topic, faults } = this.entries.get(file) ?? { faults: [] };
    const coded = topic && this.coded.get(topic.name);
    if (!coded) return faults;
    const message = `the topic ${coded.name} is written in code (${coded.file}): rename this file`;
    return [...faults, { file, line: 1, severity: 'error', message }];
  }

  private forget(file: string): void {
    const before = this.entries.get(file);
    const faulty = this.faultsOf(file).length > 0;
    this.entries.delete(file);
    if (faulty) this.tell('faults', file, []);
    if (!before?.topic) return;
    this.topics.delete(before.topic.name);
    if (this.coded.has(before.topic.name)) return;
    this.tell('removed', before.topic.name, before.topic);
  }

  /** A listener that throws must neither stop the others nor the look. */
  private tell<Name extends keyof CatalogueEvents>(name: Name, ...args: CatalogueEvents[Name]): void {
    for (const listener of this.rawListeners(name)) {
      try {
        (listener as (...args: CatalogueEvents[Name]) => void).apply(this, args);
      } catch (error) {
        this.report(error);
      }
    }
  }

  private readonly report = (error: unknown): void => {
    if (this.options.onError) this.options.onError(error);
    else process.emitWarning(error instanceof Error ? error : new Error(String(error)));
  };
}

function sameFaults(a: readonly TopicFault[], b: readonly TopicFault[]): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done, { once: true });
    if (signal.aborted) done();
  });
}
