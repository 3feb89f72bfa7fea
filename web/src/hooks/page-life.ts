/** The page's own pulse: is it seen, what time is it, may it move. All stand still while the page is hidden. */
import { useEffect, useRef, useSyncExternalStore } from 'react';

function subscribeVisible(changed: () => void): () => void {
  document.addEventListener('visibilitychange', changed);
  return () => document.removeEventListener('visibilitychange', changed);
}

export function useVisible(): boolean {
  return useSyncExternalStore(subscribeVisible, () => !document.hidden);
}

/** The value as it was when the page was last seen: what nobody sees is not drawn. */
export function useWhileVisible<T>(value: T): T {
  const visible = useVisible();
  const seen = useRef(value);
  if (visible) seen.current = value;
  return seen.current;
}

const TICK_MS = 1000;

/** One timer for all clocks of the page, however many ages it shows. */
const clocks = new Set<() => void>();
let now = Date.now();
let timer: ReturnType<typeof setInterval> | undefined;

function tick(): void {
  if (document.hidden) return;
  now = Date.now();
  for (const clock of clocks) clock();
}

function subscribeClock(changed: () => void): () => void {
  clocks.add(changed);
  if (timer === undefined) {
    now = Date.now();
    timer = setInterval(tick, TICK_MS);
  }
  return () => {
    clocks.delete(changed);
    if (clocks.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}

/** Milliseconds since 1970, once a second. */
export function useNow(): number {
  return useSyncExternalStore(subscribeClock, () => now);
}

const reduced = matchMedia('(prefers-reduced-motion: reduce)');

export function mayMove(): boolean {
  return !reduced.matches && !document.hidden;
}

/** Calls `draw` about every `stepMs` in step with the screen; not while the page is hidden or motion is unwanted. */
export function useGlide(stepMs: number, draw: () => void): void {
  const latest = useRef(draw);
  useEffect(() => {
    latest.current = draw;
  });
  useEffect(() => {
    if (reduced.matches) return;
    let drawnAt = 0;
    let handle = requestAnimationFrame(function step(at) {
      if (at - drawnAt >= stepMs) {
        drawnAt = at;
        latest.current();
      }
      handle = requestAnimationFrame(step);
    });
    return () => cancelAnimationFrame(handle);
  }, [stepMs]);
}
