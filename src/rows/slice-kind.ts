import { nodeName } from '../kernel/identity.js';
import { Later, type ProcessKind } from '../kernel/kind.js';
import { candidates } from '../kernel/placement.js';
import type { NodeFigures } from './figures.js';
import { sliceKindName } from './names.js';
import type { Failing, RowRunner } from './row-runner.js';
import { Slice } from './row-process.js';

export interface SliceArgs {
  readonly slice: number;
}

/** What the monitor sends. */
export type SliceMessage =
  /** What goes on? */
  | { readonly do: 'tell'; readonly figures?: boolean }
  /** Look after the rows that run, and give up to `most` more a process. */
  | { readonly do: 'fill'; readonly most: number };

export interface SliceReport {
  readonly slice: number;
  readonly node: string;
  readonly running: number;
  readonly failing: readonly Failing[];
  /** Of the whole node, by one of its slices; wanted only now and then. */
  readonly figures: NodeFigures | null;
}

/** What a slice's next owner begins with: as many rows as ran here. Which ones, the rows themselves tell. */
export interface SliceBackup {
  readonly running: number;
}

/**
 * A slice of a worker's rows: those whose keys have one hash. It is what moves between nodes; all slices of a node share one
 * runner. Its fence is raised in the database before its first row is read, so nothing that an owner before it still has under
 * way can come afterwards.
 */
export function sliceKind(
  worker: string,
  runner: RowRunner,
): ProcessKind<SliceArgs, SliceMessage, SliceReport, SliceBackup> {
  return {
    kind: sliceKindName(worker),
    restart: 'transient',
    // Spread over the nodes, and all of them agree how.
    place: (nodes, _here, { name, kind }) => candidates(name, nodes, kind),
    async start({ slice: number }, context) {
      let fail!: (error: unknown) => void;
      const done = new Promise<void>((_resolve, reject) => (fail = reject));
      const slice = new Slice(number, context.name, context.fence, context, fail);
      await runner.attach(slice);
      const tell = (figures: boolean): SliceReport => ({
        slice: number,
        node: nodeName(context.node),
        running: slice.rows.size,
        failing: runner.failing(slice),
        figures: figures ? runner.figures(slice) : null,
      });
      let kept = context.saved?.running ?? 0;
      const fill = async (most: number): Promise<SliceReport> => {
        await runner.fill(slice, most);
        if (slice.rows.size !== kept && context.owns()) await context.save({ running: (kept = slice.rows.size) });
        return tell(false);
      };
      // Rows that ran when the last owner died are not to wait until somebody looks.
      if (kept > 0) {
        runner.fill(slice, kept).catch((error: unknown) => {
          context.log.debug({ err: error, name: context.name }, 'rows not resumed; the monitor finds them');
        });
      }
      return {
        done,
        handle: (message) => (message.do === 'tell' ? tell(message.figures ?? false) : new Later(fill(message.most))),
        stop: (reason) => runner.detach(slice, reason),
      };
    },
  };
}
