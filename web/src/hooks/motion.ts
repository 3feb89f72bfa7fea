/** Movement that says something: what is new lights up, what changed rank is seen to move. None where motion is unwanted. */
import { useLayoutEffect, useRef, type RefObject } from 'react';
import { mayMove } from './page-life.js';

const MOVE_MS = 420;
const GLOW_MS = 1800;
const EASE = 'cubic-bezier(0.2, 0.7, 0.2, 1)';

/**
 * Children with a `data-id` glide from where they were to where they are now. The document keeps the order that is read
 * out; only the picture moves.
 */
export function useReordering(container: RefObject<HTMLElement | null>, order: string): void {
  const places = useRef(new Map<string, number>());
  useLayoutEffect(() => {
    const before = places.current;
    const now = new Map<string, number>();
    for (const child of childrenOf(container.current)) {
      const id = child.dataset.id ?? '';
      now.set(id, child.offsetTop);
      const movedBy = (before.get(id) ?? child.offsetTop) - child.offsetTop;
      if (movedBy !== 0 && mayMove()) {
        child.animate([{ transform: `translateY(${movedBy}px)` }, { transform: 'none' }], {
          duration: MOVE_MS,
          easing: EASE,
        });
      }
    }
    places.current = now;
  }, [container, order]);
}

function childrenOf(element: HTMLElement | null): HTMLElement[] {
  return element === null ? [] : [...element.querySelectorAll<HTMLElement>(':scope > [data-id]')];
}

/** Lights an element up and lets it fade. Without motion the light goes out in one step. */
export function glow(element: HTMLElement): void {
  if (document.hidden) return;
  const lit = getComputedStyle(element).getPropertyValue('--glow');
  element.animate([{ backgroundColor: lit }, { backgroundColor: 'transparent' }], {
    duration: GLOW_MS,
    easing: mayMove() ? 'ease-out' : 'steps(1, end)',
  });
}
