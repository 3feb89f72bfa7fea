/** Rounds of different slots that may be under way at once. */
export const ROUNDS_AT_ONCE = 4;

/**
 * When a poller polls. Pure: times are arguments.
 *
 * Due times lie on a grid of the wall clock, not of the poller's own start, so that a successor goes on with the same
 * beat. Few channels are asked together once an interval; many are spread over it in slots, each channel at
 * a place of its own that never moves, so that neither the database nor the viewers get everything at once.
 */
export interface Cadence {
  readonly intervalMs: number;
  /** Shifts the whole grid, so that topics with one interval do not all ask at once. In [0, intervalMs). */
  readonly offsetMs: number;
  readonly slots: number;
}

export interface Due {
  readonly slot: number;
  /** Wall clock ms. */
  readonly at: number;
}

/** A slot is not worth its statement below this. */
const SHORTEST_SLOT_MS = 20;

export function slotsFor(channels: number, perSlot: number, intervalMs: number): number {
  return Math.max(1, Math.min(Math.ceil(channels / perSlot), Math.floor(intervalMs / SHORTEST_SLOT_MS)));
}

/** The first due time after `after` (wall clock ms). A due time that has gone by is not made up for. */
export function nextDue({ intervalMs, offsetMs, slots }: Cadence, after: number): Due {
  const base = Math.floor((after - offsetMs) / intervalMs) * intervalMs + offsetMs;
  // Whole ms: with fractions, the time that belongs to a slot may lie a hair before that slot, and come up twice.
  const startOf = (slot: number): number => Math.floor((slot * intervalMs) / slots);
  let slot = Math.floor(((after - base) * slots) / intervalMs) + 1;
  while (startOf(slot) <= after - base) slot += 1;
  return slot >= slots ? { slot: 0, at: base + intervalMs } : { slot, at: base + startOf(slot) };
}

/** The slots that fell due after `after`, up to and with `until` (wall clock ms). */
export function slotsBetween(cadence: Cadence, after: number, until: number): Set<number> {
  const slots = new Set<number>();
  for (
    let due = nextDue(cadence, after);
    due.at <= until && slots.size < cadence.slots;
    due = nextDue(cadence, due.at)
  ) {
    slots.add(due.slot);
  }
  return slots;
}

/** The slot of a channel whose place is `place` in [0, 1). */
export function slotOf(place: number, slots: number): number {
  return Math.min(slots - 1, Math.floor(place * slots));
}

/** How long to leave a failing channel alone: doubling from its interval, with an end. */
export function backoffMs(failures: number, intervalMs: number, longestMs = 30_000): number {
  return Math.min(Math.max(longestMs, intervalMs), intervalMs * 2 ** Math.min(failures - 1, 20));
}
