import type { ClientBase, Connection, Submittable } from 'pg';

import type { WireValue } from './values.js';

/** One statement of a pipeline. With a `name` it is prepared once per connection. */
export interface Step {
  readonly text: string;
  readonly name?: string;
  readonly values: readonly WireValue[];
}

/** What came of a pipeline; `rows[i]` are the lines of step i, `done` how many steps ended well. */
export interface Outcome {
  readonly rows: readonly (readonly WireValue[])[][];
  readonly done: number;
  readonly error?: Error;
}

/** Most statements kept prepared on one connection; each costs the server tens of KB. */
const MAX_PREPARED = 100;

/** Statements prepared on a connection, the one used least recently first. */
const preparedOn = new WeakMap<ClientBase, Set<string>>();

/** What is used of pg's wire connection. Its published types ask for a further argument that it does not take. */
interface Wire {
  readonly stream: { cork(): void; uncork(): void };
  parse(message: { name: string; text: string }): void;
  bind(message: { statement: string; values: WireValue[] }): void;
  execute(message: Record<string, never>): void;
  close(message: { type: 'S'; name: string }): void;
  sync(): void;
}

/**
 * Several statements in one write and one round trip: extended protocol throughout, one Sync at the end. After an
 * error the server skips everything up to that Sync, so later steps (a ROLLBACK too) did not happen: whoever gets an
 * `error` throws the connection away.
 *
 * `onProgress` is called at the end of each step. Nothing asks for a description of the rows: the columns are known, and they are taken as texts.
 */
export function runPipeline(
  client: ClientBase,
  steps: readonly Step[],
  onProgress: () => void = () => undefined,
): Promise<Outcome> {
  return new Promise((resolve) => {
    client.query(new Pipeline(client, steps, resolve, onProgress));
  });
}

class Pipeline implements Submittable {
  readonly #rows: WireValue[][][];
  #done = 0;
  #settled = false;

  constructor(
    private readonly client: ClientBase,
    private readonly steps: readonly Step[],
    private readonly resolve: (outcome: Outcome) => void,
    private readonly onProgress: () => void,
  ) {
    this.#rows = steps.map(() => []);
  }

  submit(connection: Connection): void {
    const wire = connection as unknown as Wire;
    wire.stream.cork();
    try {
      for (const step of this.steps) {
        this.#prepare(wire, step);
        wire.bind({ statement: step.name ?? '', values: [...step.values] });
        wire.execute({});
      }
      wire.sync();
    } finally {
      wire.stream.uncork();
    }
  }

  /** A name counts as prepared when it was sent: should its Parse fail, the connection is thrown away with it. */
  #prepare(wire: Wire, step: Step): void {
    if (step.name === undefined) return wire.parse({ name: '', text: step.text });
    const prepared = preparedOn.get(this.client) ?? new Set<string>();
    preparedOn.set(this.client, prepared);
    const known = prepared.delete(step.name);
    prepared.add(step.name);
    if (known) return;
    wire.parse({ name: step.name, text: step.text });
    if (prepared.size <= MAX_PREPARED) return;
    const [oldest] = prepared;
    prepared.delete(oldest as string);
    wire.close({ type: 'S', name: oldest as string });
  }

  handleDataRow(message: { fields: WireValue[] }): void {
    this.#rows[this.#done]?.push(message.fields);
  }

  handleCommandComplete(): void {
    this.#done += 1;
    this.onProgress();
  }

  handleReadyForQuery(): void {
    this.#settle();
  }

  handleError(error: Error): void {
    this.#settle(error);
  }

  /** Not reached: nothing is described, fetched in parts, empty or copied. pg calls whatever it gets. */
  handleRowDescription(): void {}
  handlePortalSuspended(): void {}
  handleEmptyQuery(): void {}
  handleCopyInResponse(): void {}
  handleCopyData(): void {}

  #settle(error?: Error): void {
    if (this.#settled) return;
    this.#settled = true;
    const outcome = { rows: this.#rows, done: this.#done };
    this.resolve(error === undefined ? outcome : { ...outcome, error });
  }
}
