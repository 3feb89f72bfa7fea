import { useRef, useSyncExternalStore } from 'react';
import {
  isUnderWay,
  watchExport,
  type Export,
  type ExportSnapshot,
  type ExportWatch,
  type Hub,
} from '../../../client/index.js';
import { useHub } from '../../../client/react.js';
import { paced, type Pace } from './time-left.js';

const KEPT = 'pollcast-export';

/** The browser's tab remembers it over a refresh. */
const memory = {
  read: () => sessionStorage.getItem(KEPT),
  write: (text: string | null) =>
    text === null ? sessionStorage.removeItem(KEPT) : sessionStorage.setItem(KEPT, text),
};

/** One for all buttons and the card: they show the same export. */
const watches = new WeakMap<Hub, ExportWatch>();

export function useExportWatch(): ExportWatch {
  const hub = useHub();
  let watch = watches.get(hub);
  if (watch === undefined) watches.set(hub, (watch = watchExport(hub, { memory })));
  return watch;
}

export function useExport(watch: ExportWatch): ExportSnapshot {
  return useSyncExternalStore(watch.subscribe, watch.snapshot);
}

/** How fast it goes, as this page has seen it. */
export function usePace(known: Export): Pace | undefined {
  const pace = useRef<{ of: Export; pace: Pace | undefined }>(undefined);
  if (pace.current?.of !== known) {
    const { id, progress } = known;
    pace.current = {
      of: known,
      pace: isUnderWay(known) ? paced(pace.current?.pace, id, progress, Date.now()) : undefined,
    };
  }
  return pace.current.pace;
}
