/** React's way into the hub: `<HubProvider hub={createHub()}>`, then `useTopic` wherever rows are needed. */
import { createContext, createElement, useCallback, useContext, useMemo, useRef, type ReactNode } from 'react';
import { useSyncExternalStore } from 'react';
import type { ConnectionStatus } from './connection.js';
import type { Hub } from './hub.js';
import type { Snapshot } from './snapshot.js';
import { topicKey } from './topic-key.js';
import type { WatchOptions } from './watch.js';
import type { Params, Row } from './wire.js';

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

export interface TopicView<R extends Row = Row> extends Snapshot<R> {
  /** The rows are those of the parameters before; the new ones are on their way. */
  readonly switching: boolean;
}

/**
 * Watches a channel while the component is mounted. Parameters may be a fresh object at each render. When they change, the
 * old channel is left and its rows stay until the new one's are there (`switching`), so that nothing jumps.
 */
export function useTopic<R extends Row = Row>(
  topic: string,
  params: Params = {},
  options: WatchOptions = {},
): TopicView<R> {
  const hub = useHub();
  const key = topicKey(topic, params);
  const { every, presence } = options;
  const handle = useMemo(
    () => hub.topic<R>(topic, params, { every, presence }),
    // `key` stands for topic and params: equal parameters are the same channel, whatever object they come in.
    [hub, key, every, presence],
  );
  const subscribe = useCallback((changed: () => void) => handle.subscribe(changed), [handle]);
  const snapshot = useSyncExternalStore(subscribe, handle.snapshot, handle.snapshot);

  const last = useRef<{ topic: string; snapshot: Snapshot<R> } | null>(null);
  if (snapshot.rows !== undefined) last.current = { topic, snapshot };
  const kept = last.current?.topic === topic && snapshot.state === 'loading' ? last.current.snapshot : undefined;
  return useMemo(
    () =>
      kept === undefined
        ? { ...snapshot, switching: false }
        : { ...snapshot, rows: kept.rows, updatedAt: kept.updatedAt, switching: true },
    [snapshot, kept],
  );
}
