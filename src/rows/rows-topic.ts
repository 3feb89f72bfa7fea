import { ADMIN_ROLE } from '../access/identity.js';
import type { Kernel } from '../kernel/kernel.js';
import { codeTopic } from '../topics/code-topic.js';
import type { Topic } from '../topics/topic.js';
import type { Lateness } from './figures.js';
import { monitorName } from './names.js';
import type { SliceReport } from './slice-kind.js';

/** One worker on one node, as `pollcast.rows` shows it. Sums count since the node began to work for it. */
export interface RowsRow {
  readonly worker: string;
  readonly node: string;
  readonly slices: number;
  readonly running: number;
  readonly started: number;
  readonly ended: number;
  readonly steps: number;
  readonly statements: number;
  readonly conflicts: number;
  readonly crashes: number;
  readonly failing: number;
  readonly error: string | null;
  readonly lateness: Lateness;
  readonly response: Lateness;
  readonly cpuSeconds: number;
  readonly rssBytes: number;
  readonly at: number;
}

/** `pollcast.rows`: what the row workers do, by worker and node. Polled while somebody looks, like any topic. */
export function rowsTopic(kernel: Pick<Kernel, 'call'>, workers: readonly string[]): Topic {
  const read = async (): Promise<RowsRow[]> => {
    const rows = await Promise.all(
      workers.map(async (worker) => {
        const reports = await kernel.call<readonly SliceReport[]>(
          monitorName(worker),
          { do: 'tell' },
          { idempotent: true },
        );
        return rowsOf(worker, reports);
      }),
    );
    return rows.flat();
  };
  return codeTopic(
    'pollcast.rows',
    { title: 'Row workers', interval: '1s', key: ['worker', 'node'], roles: [ADMIN_ROLE] },
    read,
    'row workers',
  );
}

export function rowsOf(worker: string, reports: readonly SliceReport[]): RowsRow[] {
  return reports.flatMap(({ figures }) => {
    if (!figures) return [];
    const here = reports.filter(({ node }) => node === figures.node);
    const failing = here.flatMap((report) => report.failing);
    return [{ worker, ...figures, slices: here.length, failing: failing.length, error: failing[0]?.error ?? null }];
  });
}
