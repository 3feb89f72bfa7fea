/** The state of all panels together, for the one line at the top of the page. */
import { useEffect, useSyncExternalStore } from 'react';

export type PanelState = 'loading' | 'live' | 'stale' | 'failed' | 'offline';

export interface Health {
  readonly panels: number;
  readonly loading: number;
  readonly stale: readonly string[];
  readonly failed: readonly string[];
}

const states = new Map<string, { readonly title: string; readonly state: PanelState }>();
const listeners = new Set<() => void>();
let health: Health = { panels: 0, loading: 0, stale: [], failed: [] };

function recount(): void {
  const all = [...states.values()];
  const titles = (wanted: PanelState): string[] =>
    all.filter(({ state }) => state === wanted).map(({ title }) => title);
  health = { panels: all.length, loading: titles('loading').length, stale: titles('stale'), failed: titles('failed') };
  for (const listener of listeners) listener();
}

/** @param id of the place on the page: a topic may be shown in two */
export function useReportHealth(id: string, title: string, state: PanelState): void {
  useEffect(() => {
    states.set(id, { title, state });
    recount();
    return () => {
      states.delete(id);
      recount();
    };
  }, [id, title, state]);
}

export function useHealth(): Health {
  return useSyncExternalStore(
    (changed) => {
      listeners.add(changed);
      return () => listeners.delete(changed);
    },
    () => health,
  );
}
