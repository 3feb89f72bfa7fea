import { createContext, useCallback, useContext, useSyncExternalStore } from 'react';
import { readChoices, writeChoices, type Choices } from '../choices.js';

/** `replaceState` tells nobody, so this page tells itself. */
const CHANGED = 'pollcast-choices';

function subscribe(changed: () => void): () => void {
  addEventListener('popstate', changed);
  addEventListener(CHANGED, changed);
  return () => {
    removeEventListener('popstate', changed);
    removeEventListener(CHANGED, changed);
  };
}

let read: { search: string; choices: Choices } = { search: '', choices: new Map() };

function current(): Choices {
  if (read.search !== location.search) read = { search: location.search, choices: readChoices(location.search) };
  return read.choices;
}

/** @param value `undefined` takes the choice back to the default */
export type Choose = (key: string, value: string | undefined) => void;

/** Where choices are kept when it is not the address: in a room they are everybody's. */
export const SharedChoices = createContext<readonly [Choices, Choose] | null>(null);

/** What was chosen, and the way to choose. */
export function useChoices(): readonly [Choices, Choose] {
  const own = useOwnChoices();
  return useContext(SharedChoices) ?? own;
}

/** What the address says was chosen; it can be shared and reloaded. */
function useOwnChoices(): readonly [Choices, Choose] {
  const choices = useSyncExternalStore(subscribe, current);
  const choose = useCallback<Choose>((key, value) => {
    const next = new Map(current());
    if (value === undefined) next.delete(key);
    else next.set(key, value);
    history.replaceState(null, '', `${location.pathname}${writeChoices(next)}${location.hash}`);
    dispatchEvent(new Event(CHANGED));
  }, []);
  return [choices, choose];
}
