/** What came of a row's step. */
export type Outcome =
  /** Written. */
  | 'written'
  /** Taken, and there was nothing to write. */
  | 'nothing'
  /** Refused, because somebody else had changed the row: taken again. */
  | 'conflict'
  /** Skipped, because somebody else holds a lock on the row: tried again. */
  | 'busy'
  /** The row is gone, or does not match any more. */
  | 'gone'
  /** `step` threw, or the database would not take what it returned. */
  | 'crashed';

/** What row workers tell a node's metrics. */
export interface RowMetrics {
  step(worker: string, outcome: Outcome): void;
  /** One statement that wrote a group. */
  group(worker: string, rows: number, seconds: number): void;
  /** From when it was due until it was written; `response`: from the begin of the wheel's slot in which it fell due. */
  late(worker: string, lateness: number, response: number): void;
  /** Asked at each scrape. */
  running(worker: string, read: () => number): void;
}
