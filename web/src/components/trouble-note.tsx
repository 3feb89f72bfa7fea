import type { Trouble } from '../trouble.js';

/** Under values that are still shown: why they may be old. Over the panel's body, so that nothing moves. */
export function TroubleNote({ trouble }: { readonly trouble: Trouble }) {
  return (
    <p className="trouble-note" data-state={trouble.state}>
      {trouble.code !== undefined && <code>{trouble.code}</code>} {trouble.sentence}
    </p>
  );
}

/** In place of values that never came. */
export function TroublePlate({ trouble }: { readonly trouble: Trouble }) {
  return (
    <div className="trouble-plate" data-state={trouble.state}>
      <strong>{trouble.label}</strong>
      <p>{trouble.sentence}</p>
      {trouble.code !== undefined && <code>{trouble.code}</code>}
    </div>
  );
}
