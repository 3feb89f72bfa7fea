import { useEffect, useRef } from 'react';
import { mayMove } from '../hooks/page-life.js';

const FADE_MS = 1100;

/** The rule over a panel: it lights up with each frame that arrives, so that life is seen without being read. */
export function Pulse({ beat }: { readonly beat: string | undefined }) {
  const rule = useRef<HTMLSpanElement>(null);
  useEffect(() => {
    if (beat !== undefined && mayMove()) {
      rule.current?.animate([{ opacity: 1 }, { opacity: 0 }], { duration: FADE_MS, easing: 'ease-out' });
    }
  }, [beat]);
  return <span ref={rule} className="pulse" aria-hidden="true" />;
}
