import { PollcastError } from '../errors.js';

type Leave = (error: PollcastError) => void;

/** One viewer's way in. */
export interface Admission {
  /** Takes a step; rejects as soon as the viewer goes, whatever the step still waits for. Its outcome is nobody's then. */
  step<T>(take: () => Promise<T>): Promise<T>;
  end(): void;
}

/**
 * Viewers that are being let in. Who goes meanwhile is not waited for: its first rows may take seconds, or never come, and until
 * then it would count as a viewer for whom the database is asked.
 */
export class Admissions {
  readonly #underWay = new Map<string, Set<Leave>>();

  begin(viewer: string): Admission {
    let leave: Leave = () => undefined;
    const gone = new Promise<never>((_, reject) => (leave = reject));
    // It is told by the step under way; between two steps it must not count as unhandled.
    gone.catch(() => undefined);
    let left = false;
    const told: Leave = (error) => {
      left = true;
      leave(error);
    };
    const all = this.#underWay.get(viewer) ?? new Set();
    this.#underWay.set(viewer, all.add(told));
    return {
      step: (take) => (left ? gone : Promise.race([gone, take()])),
      end: () => {
        all.delete(told);
        if (all.size === 0 && this.#underWay.get(viewer) === all) this.#underWay.delete(viewer);
      },
    };
  }

  gone(viewer: string): void {
    for (const leave of [...(this.#underWay.get(viewer) ?? [])]) leave(connectionGone());
  }
}

export function connectionGone(): PollcastError {
  return new PollcastError('UNAVAILABLE', 'the connection is gone');
}
