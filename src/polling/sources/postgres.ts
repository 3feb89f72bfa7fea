import { PollcastError } from '../../errors.js';
import type { Logger } from '../../kernel/log.js';
import type { Topic } from '../../topics/topic.js';
import type { Answer, Ask, AskOptions, Source } from '../source.js';
import { Connections, NotAsked, type Transaction } from './connections.js';
import { classify, sqlstateOf, tell, type Fault } from './faults.js';
import { changedForms, selectForms } from './forms.js';
import { MAX_BYTES, tooMuch } from './limits.js';
import { diagnose } from './multiplex.js';
import { Part } from './part.js';
import { sweep, type Diagnosis, type FormName, type Ran, type Verdict } from './sweep.js';
import { bindMany, bindOne, type Item, type WireValue } from './values.js';

export interface PostgresSourceOptions {
  readonly connectionString: string;
  /** Name of this node: Postgres shows the connections as `pollcast:<node>`. */
  readonly node: string;
  readonly log: Pick<Logger, 'info' | 'warn'>;
  /** Statements that run at once for this node; one more connection is opened for `ping`. Default 6. */
  readonly maxConnections?: number;
  /** How long a connection may take to open, in ms. Default 3000. */
  readonly connectTimeoutMs?: number;
  /** How long a statement for many channels should take, in ms. Default 40. */
  readonly statementMs?: number;
  /** Most channels of one statement; 1 turns multiplexing off. Default 1000. */
  readonly maxBatch?: number;
  /** Most bytes of one channel's rows. Default 8 MiB. */
  readonly maxBytes?: number;
}

export interface PostgresSource extends Source {
  /** Channels that the topic's next statement would take: for a poller that spreads a round over its interval. */
  batchSize(topic: Topic): number;
}

/** Most statements that one `ask` has running at once, so that one topic leaves connections to the others. */
const MAX_LANES = 3;

/** The source that asks Postgres. It opens no connection before the first `ask` or `ping`. */
export function createPostgresSource(options: PostgresSourceOptions): PostgresSource {
  return new Postgres(options);
}

interface TopicState {
  readonly select: Part;
  readonly changed?: Part;
}

/** An ask on its way; `seen` is its hash or its mark. */
interface Asked extends Item {
  readonly index: number;
  readonly channel: string;
}

/** One line of an answer, see `Forms`. */
interface Line {
  readonly seen: WireValue;
  readonly count: number;
  readonly rows: WireValue;
}

class Postgres implements PostgresSource {
  readonly #connections: Connections;
  readonly #states = new WeakMap<Topic, TopicState>();
  readonly #maxBytes: number;
  readonly #lanes: number;
  /** Between an outage and the next answer: each is logged once. */
  #away = false;

  constructor(private readonly options: PostgresSourceOptions) {
    const maxConnections = options.maxConnections ?? 6;
    this.#maxBytes = options.maxBytes ?? MAX_BYTES;
    this.#lanes = Math.max(1, Math.min(MAX_LANES, maxConnections - 1));
    this.#connections = new Connections({
      connectionString: options.connectionString,
      maxConnections,
      applicationName: `pollcast:${options.node}`,
      connectTimeoutMs: options.connectTimeoutMs ?? 3_000,
      log: options.log,
    });
  }

  async ask(topic: Topic, asks: readonly Ask[], options: AskOptions): Promise<Answer[]> {
    const { select, changed } = this.#stateOf(topic);
    const answers = new Array<Answer>(asks.length);
    const give = (index: number, answer: Answer): void => {
      answers[index] = answer;
      options.onAnswer?.(index, answer);
    };
    if (changed === undefined) {
      const asked = asks.map((ask, index) => askedOf(ask, index, hashOf(ask)));
      await this.#sweep(topic, select, asked, options, ({ index }, verdict) =>
        give(index, this.#answer(topic, verdict)),
      );
      return answers;
    }

    const marks: string[] = [];
    const moved: Asked[] = [];
    // Without the result that belongs to it a mark says nothing.
    const probes = asks.map((ask, index) => askedOf(ask, index, hashOf(ask) === null ? null : (ask.mark ?? null)));
    await this.#sweep(topic, changed, probes, options, ({ index, seen }, verdict) => {
      if (verdict.kind === 'row') {
        const ask = asks[index] as Ask;
        marks[index] = verdict.row.seen as string;
        moved.push(askedOf(ask, index, hashOf(ask)));
      } else {
        give(
          index,
          verdict.kind === 'same' ? { kind: 'unchanged', mark: seen as string } : this.#answer(topic, verdict),
        );
      }
    });
    await this.#sweep(topic, select, moved, options, ({ index }, verdict) => {
      give(index, this.#answer(topic, verdict, marks[index]));
    });
    return answers;
  }

  batchSize(topic: Topic): number {
    const state = this.#states.get(topic);
    if (state === undefined) return Math.min(8, this.options.maxBatch ?? 1000);
    const part = state.changed ?? state.select;
    return part.sizes[part.preferred].limit;
  }

  async ping(timeoutMs: number): Promise<void> {
    try {
      await this.#connections.ping(timeoutMs);
    } catch (cause) {
      throw new PollcastError('UNAVAILABLE', `The database did not answer within ${timeoutMs} ms.`, undefined, {
        cause,
      });
    }
  }

  close(): Promise<void> {
    return this.#connections.close();
  }

  #stateOf(topic: Topic): TopicState {
    const known = this.#states.get(topic);
    if (known !== undefined) return known;
    const options = { targetMs: this.options.statementMs ?? 40, maxBatch: this.options.maxBatch ?? 1000 };
    const changed = changedForms(topic);
    const state = {
      select: new Part(selectForms(topic, { maxRows: topic.maxRows, maxBytes: this.#maxBytes }), options),
      ...(changed === undefined ? {} : { changed: new Part(changed, options) }),
    };
    this.#states.set(topic, state);
    if (state.select.oneByOne || state.changed?.oneByOne === true) this.#tellOneByOne(topic);
    return state;
  }

  #answer(topic: Topic, verdict: Verdict<Line>, mark?: string): Answer {
    const withMark = mark === undefined ? {} : { mark };
    switch (verdict.kind) {
      case 'same':
        return { kind: 'unchanged', ...withMark };
      case 'fault':
        return verdict.fault.kind === 'outage'
          ? { kind: 'outage', message: 'The database does not answer now; it is asked again.' }
          : { kind: 'failed', ...tell(verdict.fault, topic.timeoutMs) };
      case 'row': {
        const { seen, count, rows } = verdict.row;
        if (seen === null) return tooMuch(topic, count, this.#maxBytes);
        return { kind: 'rows', rows: `[${rows}]`, count, hash: seen, ...withMark };
      }
    }
  }

  async #sweep(
    topic: Topic,
    part: Part,
    items: readonly Asked[],
    options: AskOptions,
    settle: (item: Asked, verdict: Verdict<Line>) => void,
  ): Promise<void> {
    if (items.length === 0) return;
    const faults = new Faults();
    await sweep<Asked, Line>(items, {
      timeoutMs: topic.timeoutMs,
      lanes: Math.min(this.#lanes, items.length),
      sizes: part.sizes,
      form: () => part.choose(),
      isSuspect: (item) => part.isSuspect(item.channel),
      run: (form, batch, timeoutMs) => this.#run(part, form, batch, timeoutMs, options),
      diagnose: () => this.#diagnose(topic, part, options),
      settle: (item, verdict) => {
        if (verdict.kind !== 'fault') part.clear(item.channel);
        else if (verdict.fault.kind === 'failed' || verdict.fault.kind === 'timeout') part.suspect(item.channel);
        if (verdict.kind === 'fault') faults.add(item.channel, verdict.fault);
        else faults.answered = true;
        settle(item, verdict);
      },
    });
    this.#report(topic, faults);
  }

  async #run(
    part: Part,
    form: FormName,
    batch: readonly Asked[],
    timeoutMs: number,
    { signal, mayQuery }: AskOptions,
  ): Promise<Ran<Line>> {
    const { many, one, params } = part.forms;
    const ended = await this.#connections.run({
      steps:
        form === 'many'
          ? [{ ...many, values: bindMany(params, batch) }]
          : batch.map((item) => ({ ...one, values: bindOne(params, item) })),
      // Columns stand for the parameters in the form for many, so values tell its planner nothing. For one they do.
      plans: form === 'many' ? 'generic' : 'custom',
      timeoutMs,
      signal,
      mayQuery,
    });
    const rows = new Map<number, Line>();
    if (!ended.sent) {
      return { rows, done: 0, elapsedMs: 0, bytes: 0, fault: { kind: 'outage', lost: false, cause: ended.reason } };
    }
    let bytes = 0;
    ended.outcome.rows.forEach((lines, step) => {
      for (const [n, seen = null, count, text = null] of lines) {
        bytes += text?.length ?? 0;
        rows.set(step + Number(n), { seen, count: Number(count), rows: text });
      }
    });
    const { elapsedMs, outcome } = ended;
    const ran = { rows, done: outcome.done, elapsedMs, bytes };
    return outcome.error === undefined ? ran : { ...ran, fault: classify(outcome.error, { elapsedMs, timeoutMs }) };
  }

  async #diagnose(topic: Topic, part: Part, { signal, mayQuery }: AskOptions): Promise<Diagnosis> {
    const { timeoutMs } = topic;
    const found = await diagnose(part.forms, async (step) => {
      const transaction: Transaction = { steps: [step], plans: 'custom', timeoutMs, signal, mayQuery };
      const ended = await this.#connections.run(transaction);
      return ended.sent ? ended.outcome : { error: ended.reason };
    });
    if (found === 'one only' && !part.oneByOne) {
      part.oneByOne = true;
      this.#tellOneByOne(topic);
    }
    return found;
  }

  #tellOneByOne({ name }: Topic): void {
    this.options.log.warn({ topic: name }, 'channels of this topic cannot share a statement: one query each');
  }

  /** One line per kind of fault and sweep, however many channels have it; one line per outage. */
  #report(topic: Topic, faults: Faults): void {
    const { log } = this.options;
    for (const { fault, channel, channels } of faults.kinds.values()) {
      if (fault.kind !== 'outage') {
        log.warn(
          { topic: topic.name, channel, channels, sqlstate: fault.sqlstate, err: fault.cause },
          'a query failed',
        );
      } else if (!this.#away && !(fault.cause instanceof NotAsked)) {
        this.#away = true;
        log.warn({ topic: topic.name, err: fault.cause }, 'the database does not answer');
      }
    }
    if (this.#away && faults.answered && !faults.kinds.has('outage')) {
      this.#away = false;
      log.info({ topic: topic.name }, 'the database answers again');
    }
  }
}

/** The faults of one sweep, by kind and state. */
class Faults {
  readonly kinds = new Map<string, { fault: Fault; channel: string; channels: number }>();
  answered = false;

  add(channel: string, fault: Fault): void {
    const kind = fault.kind === 'outage' ? 'outage' : `${fault.kind} ${sqlstateOf(fault.cause)}`;
    const known = this.kinds.get(kind);
    if (known === undefined) this.kinds.set(kind, { fault, channel, channels: 1 });
    else known.channels += 1;
  }
}

function askedOf({ channel, values }: Ask, index: number, seen: string | null): Asked {
  return { channel, values, index, seen };
}

/** The hash as the database counts it, or null when it is none of ours: another source's says nothing here. */
function hashOf(ask: Ask): string | null {
  return ask.hash !== undefined && /^-?\d{1,19}$/.test(ask.hash) ? ask.hash : null;
}
