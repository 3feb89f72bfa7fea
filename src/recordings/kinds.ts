import type { NodeSighting } from '../kernel/ports/store.js';
import type { ProcessKind } from '../kernel/kind.js';
import { byRoom, RecorderPool, type PoolFigures, type PoolMessage, type PoolParts, type PoolState } from './pool.js';
import { POOL_KIND, RECORDING_KIND, type RecordingArgs } from './recording.js';
import { RecordingWorker, type WorkerMessage, type WorkerParts, type WorkerState } from './worker.js';
import type { ReadyStudios } from './ready.js';

export interface RecordingKindParts {
  /** `null` on a node without a recorder. */
  worker(): WorkerParts | null;
  slots(): number;
  readonly ready: ReadyStudios;
  readonly figures: PoolFigures;
}

export function recordingKind(
  parts: RecordingKindParts,
): ProcessKind<RecordingArgs, WorkerMessage, boolean, WorkerState> {
  const { ready, figures } = parts;
  return {
    kind: RECORDING_KIND,
    restart: 'transient',
    place: (nodes: readonly NodeSighting[]) => byRoom(nodes, figures.used).map(({ id }) => id),
    // What is made ready has its slot already.
    admit: (name, running) => ready.has(name) || running + ready.size < parts.slots(),
    prepare: (record) => ready.prepare(record.args as RecordingArgs),
    start(args, context) {
      const worker = parts.worker();
      if (!worker) throw new Error('this node has no recorder');
      return new RecordingWorker(args, context, worker);
    },
  };
}

export function poolKind(parts: PoolParts): ProcessKind<object, PoolMessage, unknown, PoolState> {
  return { kind: POOL_KIND, restart: 'transient', start: (_args, context) => new RecorderPool(context, parts) };
}
