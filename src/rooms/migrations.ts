import { PollcastError } from '../errors.js';
import { SCHEMA, type RoomState } from './room-state.js';

type Saved = Record<string, unknown> & { readonly schema: number };

/** From each older shape to the next one. */
const STEPS: Readonly<Record<number, (saved: Saved) => Saved>> = {
  // Members were users' names alone, and any event made a change stale.
  1: ({ members, ...rest }) => ({
    ...rest,
    schema: 2,
    patched: rest['version'],
    members: (members as readonly string[]).map((user) => ({ user, name: user, since: 0 })),
  }),
};

/**
 * A saved room in the shape of this release. One that a newer release has written is not touched: what this one does not
 * know of it would be lost. Throws `UNAVAILABLE` then; the room goes on where the newer release runs.
 */
export function migrate(text: string): RoomState {
  let saved = JSON.parse(text) as Saved;
  while (saved.schema !== SCHEMA) {
    const step = STEPS[saved.schema];
    if (!step) {
      throw new PollcastError(
        'UNAVAILABLE',
        `a room was saved in shape ${saved.schema}, this release knows up to ${SCHEMA}: run the newer release`,
      );
    }
    saved = step(saved);
  }
  return saved as unknown as RoomState;
}
