/** Whether anybody can see what is drawn. Told apart from the page so that programs without one, and tests, have their own. */
export interface Visibility {
  readonly hidden: boolean;
  onChange(listener: () => void): () => void;
}

/** The page's own visibility; where there is no page, everything is seen. */
export const pageVisibility: Visibility = {
  get hidden() {
    return typeof document !== 'undefined' && document.visibilityState === 'hidden';
  },
  onChange(listener) {
    if (typeof document === 'undefined') return () => undefined;
    document.addEventListener('visibilitychange', listener);
    return () => document.removeEventListener('visibilitychange', listener);
  },
};
