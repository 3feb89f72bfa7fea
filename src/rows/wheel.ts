import type { Clock, Timer } from '../kernel/clock.js';
import { Chain, type Linked } from './chain.js';

export const SLOT_MS = 20;
/** Slots of one turn: what is due later than 10.24 s from now is passed by once per turn. */
const SLOTS = 512;

export interface Sleeper<T extends Sleeper<T>> extends Linked<T> {
  /** Number of the slot, counted from the wheel's beginning, in which it wakes. */
  tick: number;
}

export interface WheelEvents<T> {
  /** It is due, and out of the wheel. It may be added again at once. */
  due(item: T): void;
  /** All that were due are told. */
  ticked(): void;
}

/**
 * Thousands of timers on one: a ring of slots of 20 ms, each a chain of those who wake then (Varghese and Lauck, 1987).
 * Items wake in the first slot that begins at or after their time, never before it; all of one slot wake together, and
 * that is what lets their writes travel together. Nothing is allocated but the one timer, and that only for slots in
 * which somebody sleeps.
 */
export class Wheel<T extends Sleeper<T>> {
  readonly #slots = Array.from({ length: SLOTS }, () => new Chain<T>());
  readonly #epoch: number;
  /** The last slot that was told. */
  #tick = 0;
  #size = 0;
  #timer: Timer | null = null;
  #timerTick = Infinity;

  constructor(
    private readonly clock: Clock,
    private readonly events: WheelEvents<T>,
  ) {
    this.#epoch = clock.monotonic();
  }

  /** How many sleep. */
  get size(): number {
    return this.#size;
  }

  /** @param at monotonic ms; what is past wakes in the next slot */
  add(item: T, at: number): void {
    if (this.#size === 0) this.#tick = Math.max(this.#tick, this.#now());
    item.tick = Math.max(this.#tick + 1, Math.ceil((at - this.#epoch) / SLOT_MS));
    this.#slot(item.tick).push(item);
    this.#size += 1;
    this.#wakeAt(item.tick);
  }

  /** `false`: it did not sleep here. */
  remove(item: T): boolean {
    const slot = this.#slot(item.tick);
    if (item.chain !== slot) return false;
    slot.remove(item);
    this.#size -= 1;
    return true;
  }

  /** Monotonic ms at which a slot begins. */
  timeOf(tick: number): number {
    return this.#epoch + tick * SLOT_MS;
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#timerTick = Infinity;
  }

  #slot(tick: number): Chain<T> {
    return this.#slots[tick % SLOTS] as Chain<T>;
  }

  #now(): number {
    return Math.floor((this.clock.monotonic() - this.#epoch) / SLOT_MS);
  }

  #wakeAt(tick: number): void {
    // A turn at most: what lies further on is looked at when its slot comes round.
    const wake = Math.min(tick, this.#tick + SLOTS);
    if (wake >= this.#timerTick) return;
    this.#timer?.cancel();
    this.#timerTick = wake;
    this.#timer = this.clock.after(this.timeOf(wake) - this.clock.monotonic(), () => this.#turn());
  }

  #turn(): void {
    this.#timer = null;
    this.#timerTick = Infinity;
    const now = this.#now();
    const from = Math.max(this.#tick + 1, now - SLOTS + 1);
    // Before anybody is told: whoever goes to sleep again does so for a later slot.
    this.#tick = Math.max(this.#tick, now);
    for (let tick = from; tick <= now; tick++) this.#tell(this.#slot(tick), now);
    if (from <= now) this.events.ticked();
    for (let ahead = 1; ahead <= SLOTS && this.#size > 0; ahead++) {
      if (this.#slot(this.#tick + ahead).size === 0) continue;
      this.#wakeAt(this.#tick + ahead);
      break;
    }
  }

  #tell(slot: Chain<T>, now: number): void {
    for (let item = slot.first; item;) {
      const after: T | null = item.next;
      if (item.tick <= now) {
        slot.remove(item);
        this.#size -= 1;
        this.events.due(item);
      }
      item = after;
    }
  }
}
