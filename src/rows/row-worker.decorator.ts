import 'reflect-metadata';

export const ROW_WORKER = Symbol('pollcast row worker');

/** A row as JSON: timestamps are ISO 8601 texts, `numeric` and `bigint` are numbers. */
export type Row = Readonly<Record<string, unknown>>;

/** Columns and their new values; `{}`, `null` or nothing: this time there is nothing to write. */
export type Changes<R = Row> = Partial<{ -readonly [C in keyof R]: R[C] | null }> | null | undefined | void;

/** A last write, after which the row's process ends. */
export class Done<R = Row> {
  constructor(readonly changes: Changes<R>) {}
}

/**
 * What `step` returns when the row needs its process no more: `return done;`, or with a last write `return done({ state: 'over' });`.
 * A row that still matches afterwards is found, and worked, again.
 */
export function done<R = Row>(changes?: Changes<R>): Done<R> {
  return new Done(changes);
}

export interface StepCall {
  /** Fires when the row's slice leaves this node: what a step began then is not written any more. */
  readonly signal: AbortSignal;
}

export type StepResult<R = Row> = Changes<R> | Done<R> | typeof done;

/** What a class with `@RowWorker()` implements. */
export interface RowSteps<R = Row> {
  /**
   * One step of one row: from what the row is to what it becomes. It may be called again for a step whose write was refused,
   * because somebody else had changed the row, so it must have no other effect than what it returns.
   */
  step(row: R, call: StepCall): StepResult<R> | Promise<StepResult<R>>;
}

export interface RowWorkerOptions {
  /** Unique among row workers; its processes are `rows:<name>` and `rows:<name>#<slice>`. */
  readonly name: string;
  /** `orders` or `shop.orders`. */
  readonly table: string;
  /** The column that identifies a row (default `id`): primary key, or unique and not null. */
  readonly key?: string;
  /** An SQL condition on the table's columns: the rows that need a process, as long as it holds. */
  readonly match: string;
  /** How often each row takes a step, from `20ms`; the first comes this long after its row was found. */
  readonly every: string;
  /** How often it is looked for new rows (default `2s`). */
  readonly look?: string;
  /** How many rows are worked at a time in the whole cluster (default 10,000). */
  readonly limit?: number;
  /** The first step comes anywhere within the first `every` instead of at its end, so that rows found together do not stay in step. */
  readonly spread?: boolean;
  /** How long one statement may take (default `10s`). */
  readonly timeout?: string;
}

/**
 * Gives each row that matches a small process of its own:
 *
 *     @Injectable()
 *     @RowWorker({ name: 'countdown', table: 'counters', match: 'value > 0', every: '1s' })
 *     class Countdown implements RowSteps<Counter> {
 *       step({ value }: Counter) { return { value: value - 1 }; }
 *     }
 *
 * All nodes that have the class share the rows.
 */
export function RowWorker(options: RowWorkerOptions) {
  return <R>(target: new (...args: never[]) => RowSteps<R>): void => {
    Reflect.defineMetadata(ROW_WORKER, options, target);
  };
}
