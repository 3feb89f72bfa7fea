import { useSyncExternalStore } from 'react';

export type Theme = 'light' | 'dark';

/** Known to public/theme.js too, which sets the theme before the first paint. */
const STORED_AS = 'pollcast-theme';
const system = matchMedia('(prefers-color-scheme: dark)');
const listeners = new Set<() => void>();

function current(): Theme {
  const chosen = document.documentElement.dataset.theme;
  if (chosen === 'dark' || chosen === 'light') return chosen;
  return system.matches ? 'dark' : 'light';
}

function subscribe(changed: () => void): () => void {
  listeners.add(changed);
  system.addEventListener('change', changed);
  return () => {
    listeners.delete(changed);
    system.removeEventListener('change', changed);
  };
}

export function useTheme(): Theme {
  return useSyncExternalStore(subscribe, current);
}

/** A choice that equals the system's is forgotten, so that the page follows the system again. */
export function chooseTheme(theme: Theme): void {
  const asSystem = theme === (system.matches ? 'dark' : 'light');
  if (asSystem) delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  try {
    if (asSystem) localStorage.removeItem(STORED_AS);
    else localStorage.setItem(STORED_AS, theme);
  } catch {
    // Storage may be forbidden; the choice then lasts as long as the page.
  }
  for (const listener of listeners) listener();
}
