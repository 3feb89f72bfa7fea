/** Whether anybody can see what is drawn. Told apart from the page so that programs without one, and tests, have their own. */
export interface Visibility {
  readonly hidden: boolean;
  onChange(listener: () => void): () => void;
}

/** The part of the DOM's `Document` that is used: this also runs, and is compiled, where there is none. */
interface Page {
  readonly visibilityState: string;
  addEventListener(type: 'visibilitychange', listener: () => void): void;
  removeEventListener(type: 'visibilitychange', listener: () => void): void;
}

const page = (globalThis as { document?: Page }).document;

/** The page's own visibility; where there is no page, everything is seen. */
export const pageVisibility: Visibility = {
  get hidden() {
    return page?.visibilityState === 'hidden';
  },
  onChange(listener) {
    page?.addEventListener('visibilitychange', listener);
    return () => page?.removeEventListener('visibilitychange', listener);
  },
};
