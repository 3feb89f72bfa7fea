/** React's way into the hub: `<HubProvider hub={createHub()}>`, then `useTopic` wherever rows are needed. */
import {
  createContext,
  createElement,
  useCallback,
  useContext,
  useEffect,
  useMemo,
  useRef,
  useState,
  type ReactNode,
} from 'react';
import { useSyncExternalStore } from 'react';
import type { ConnectionStatus } from './connection.js';
import { firstRows } from './first-rows.js';
import type { Hub, TopicHandle } from './hub.js';
import { joinRoom, type Room } from './rooms.js';
import type { Snapshot } from './snapshot.js';
import { topicKey } from './topic-key.js';
import type { AnyTopic, RowOf, TopicArgs, TopicName } from './topic-types.js';
import type { WatchOptions } from './watch.js';
import type { Params, Release, Row } from './wire.js';

const HubContext = createContext<Hub | null>(null);

export function HubProvider(props: { readonly hub: Hub; readonly children?: ReactNode }): ReactNode {
  return createElement(HubContext.Provider, { value: props.hub }, props.children);
}

export function useHub(): Hub {
  const hub = useContext(HubContext);
  if (hub === null) throw new Error('useHub needs a <HubProvider hub={…}> above it.');
  return hub;
}

export function useConnection(): ConnectionStatus {
  const hub = useHub();
  const subscribe = useCallback((changed: () => void) => hub.onConnection(changed), [hub]);
  return useSyncExternalStore(
    subscribe,
    () => hub.connection,
    () => hub.connection,
  );
}

/** The newest release that the hub told of: the page that this was built into is older. */
export function useRelease(): Release | undefined {
  const hub = useHub();
  const subscribe = useCallback((changed: () => void) => hub.onRelease(changed), [hub]);
  return useSyncExternalStore(
    subscribe,
    () => hub.release,
    () => hub.release,
  );
}

export interface UseTopicOptions extends WatchOptions {
  /**
   * Suspend until the first rows are there; a channel that is refused, or fails before it had rows, throws its error to the nearest
   * error boundary. Default false: `state` and `error` say so.
   */
  readonly suspense?: boolean;
}

/** In the room while the component is mounted; `undefined` until it has begun to join. Another name is `rename`d to. */
export function useRoom(room: string, name?: string): Room | undefined {
  const hub = useHub();
  const [joined, setJoined] = useState<Room>();
  const first = useRef(name);
  useEffect(() => {
    const opened = joinRoom(hub, room, { name: first.current });
    setJoined(opened);
    return () => opened.leave();
  }, [hub, room]);
  return joined;
}

export interface TopicView<R extends Row = Row> extends Snapshot<R> {
  /** The rows are those of the parameters before; the new ones are on their way. */
  readonly switching: boolean;
}

/**
 * Watches a channel while the component is mounted: `{ rows, state, updatedAt, error, … }`. Parameters may be a fresh object at each
 * render. When they change, the old channel is left and its rows stay until the new one's are there (`switching`), so that
 * nothing jumps.
 */
export function useTopic<N extends TopicName>(topic: N, ...args: TopicArgs<N, UseTopicOptions>): TopicView<RowOf<N>>;
export function useTopic<R extends Row = Row, N extends string = string>(
  topic: AnyTopic<N>,
  params?: Params,
  options?: UseTopicOptions,
): TopicView<R>;
export function useTopic(topic: string, params: Params = {}, options: UseTopicOptions = {}): TopicView {
  const hub = useHub();
  const key = topicKey(topic, params);
  const { every, presence, suspense = false } = options;
  const handle: TopicHandle = useMemo(
    () => hub.topic<Row>(topic, params, { every, presence }),
    // `key` stands for topic and params: equal parameters are the same channel, whatever object they come in.
    [hub, key, every, presence],
  );
  // A component that suspends before it is mounted keeps nothing, not even `handle`: the promise is kept by the hub's key.
  // eslint-disable-next-line @typescript-eslint/only-throw-error -- how React is told to wait
  if (suspense && handle.snapshot().rows === undefined) throw firstRows(hub, key, handle);
  const subscribe = useCallback((changed: () => void) => handle.watch(changed), [handle]);
  const snapshot = useSyncExternalStore(subscribe, handle.snapshot, handle.snapshot);

  const last = useRef<{ topic: string; snapshot: Snapshot } | null>(null);
  if (snapshot.rows !== undefined) last.current = { topic, snapshot };
  const kept = last.current?.topic === topic && isPending(snapshot) ? last.current.snapshot : undefined;
  return useMemo(
    () =>
      kept === undefined
        ? { ...snapshot, switching: false }
        : { ...snapshot, rows: kept.rows, updatedAt: kept.updatedAt, switching: true },
    [snapshot, kept],
  );
}

function isPending({ state, rows }: Snapshot): boolean {
  return rows === undefined && (state === 'loading' || state === 'offline');
}
