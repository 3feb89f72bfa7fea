import { useState } from 'react';

interface ActionButtonProps {
  readonly label: string;
  /** What it acts on, for those who hear the page. */
  readonly what: string;
  readonly run: () => Promise<unknown>;
  /** Asked again before it is done. */
  readonly grave?: boolean;
}

/** A button that says what became of it. */
export function ActionButton({ label, what, run, grave = false }: ActionButtonProps) {
  const [state, setState] = useState<'idle' | 'sure' | 'busy'>('idle');
  const [failure, setFailure] = useState<string>();
  const act = (): void => {
    if (grave && state === 'idle') return setState('sure');
    setState('busy');
    setFailure(undefined);
    run().then(
      () => setState('idle'),
      (error: unknown) => {
        setState('idle');
        setFailure(error instanceof Error ? error.message : String(error));
      },
    );
  };
  return (
    <span className="action">
      <button
        type="button"
        className="quiet-button"
        data-sure={state === 'sure'}
        disabled={state === 'busy'}
        onClick={act}
        onBlur={() => state === 'sure' && setState('idle')}
        aria-label={`${state === 'sure' ? `Really ${label.toLowerCase()}` : label} ${what}`}
      >
        {state === 'sure' ? `Really ${label.toLowerCase()}?` : label}
      </button>
      {failure !== undefined && (
        <span className="action-failure" role="alert">
          {failure}
        </span>
      )}
    </span>
  );
}
