import { createContext, useContext, type ReactNode } from 'react';

/** What a topic's panel is asked with. */
export interface PinnedTo {
  readonly topic: string;
  readonly title: string;
  /** Whether there is a place for more than what is pinned: a way to pin something. */
  readonly roomy: boolean;
}

/** What people have pinned to the panels of a page, where they can. */
export const Pinned = createContext<((to: PinnedTo) => ReactNode) | null>(null);

export function usePinned(to: PinnedTo): ReactNode {
  return useContext(Pinned)?.(to) ?? null;
}
