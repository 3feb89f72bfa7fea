/**
 * What a listener is given, and how each message of the hub changes it. Pure: the next snapshot from the last one, the
 * same object when nothing changed, so that a store may compare by identity.
 */
import type { PollcastError } from '../src/errors.js';
import type { ChannelState, Epoch, Frame, Moment, Position, Row, Status, Subscribed } from './wire.js';

export interface Snapshot<R extends Row = Row> {
  /** The hub's name of the channel (`name?a=1`); known once the hub has acknowledged the subscription. */
  readonly channel: string | undefined;
  /** `loading` until the first answer, whatever it is; `offline` while there is no connection to the hub. */
  readonly state: 'loading' | 'offline' | ChannelState;
  /** The newest rows. They stay while the channel is stale, has failed, or the connection is gone. */
  readonly rows: readonly R[] | undefined;
  readonly position: Position | undefined;
  /** When the rows were polled, on this machine's clock: milliseconds since 1970. */
  readonly updatedAt: number | undefined;
  /** Why the state is `stale` or `failed`, as the hub words it. */
  readonly reason: string | undefined;
  /** Why the hub refused the subscription; the channel is then `failed`. */
  readonly error: PollcastError | undefined;
  /** How many watch this channel in the whole cluster; only when presence was asked for and is given. */
  readonly viewers: number | undefined;
}

export const LOADING: Snapshot = Object.freeze({
  channel: undefined,
  state: 'loading',
  rows: undefined,
  position: undefined,
  updatedAt: undefined,
  reason: undefined,
  error: undefined,
  viewers: undefined,
});

/** Turns a moment on the hub's clock into this machine's. */
export type LocalTime = (moment: Moment) => number;

/**
 * Whether `next` comes after `last`. A takeover keeps the epoch and goes on with `seq`; a numeric epoch never falls.
 * Epochs that are no numbers cannot be ordered, and another one is then a new beginning.
 */
export function isNewer(next: Position, last: Position | undefined): boolean {
  if (last === undefined) return true;
  if (next.epoch === last.epoch) return next.seq > last.seq;
  const [to, from] = [epochNumber(next.epoch), epochNumber(last.epoch)];
  return to === undefined || from === undefined || to > from;
}

function epochNumber(epoch: Epoch): number | undefined {
  if (typeof epoch === 'number') return epoch;
  return /^\d+$/.test(epoch) ? Number(epoch) : undefined;
}

export function onSubscribed(last: Snapshot, ack: Subscribed, localTime: LocalTime): Snapshot {
  const live: Snapshot = { ...last, channel: ack.channel, state: 'live', reason: undefined, error: undefined };
  if (ack.rows === undefined) return live;
  // They can be older than what is here: a frame overtook the acknowledgement, or the new node lags behind the last one.
  if (last.channel === ack.channel && !isNewer(ack, last.position)) return live;
  return {
    ...live,
    rows: ack.rows,
    position: { epoch: ack.epoch, seq: ack.seq },
    updatedAt: localTime(ack.polledAt),
  };
}

export function onFrame(last: Snapshot, frame: Frame, localTime: LocalTime): Snapshot {
  if (!isNewer(frame, last.position)) return last;
  return {
    ...last,
    rows: frame.rows,
    position: { epoch: frame.epoch, seq: frame.seq },
    updatedAt: localTime(frame.polledAt),
  };
}

export function onStatus(last: Snapshot, status: Status): Snapshot {
  if (last.state === status.state && last.reason === status.reason && last.error === undefined) return last;
  return { ...last, state: status.state, reason: status.reason, error: undefined };
}

export function onOffline(last: Snapshot): Snapshot {
  return last.state === 'offline' ? last : { ...last, state: 'offline', reason: undefined, error: undefined };
}

export function onRefused(last: Snapshot, error: PollcastError): Snapshot {
  return { ...last, state: 'failed', reason: error.message, error };
}

export function onViewers(last: Snapshot, count: number): Snapshot {
  return last.viewers === count ? last : { ...last, viewers: count };
}
