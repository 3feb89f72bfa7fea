import { useState } from 'react';
import { useHub } from '../../../client/react.js';
import { isUnderWay, sentence, useRecordings } from './use-recordings.js';
import { lengthOf } from './words.js';

/** Records this page as it is chosen now, or stops that. */
export function RecordButton() {
  const hub = useHub();
  const { recordings = [] } = useRecordings();
  const [problem, setProblem] = useState<string>();
  const current = recordings.find(isUnderWay);
  const press = (): void => {
    setProblem(undefined);
    const asked = current
      ? hub.call('recording:stop', { id: current.id })
      : hub.call('recording:start', { url: `${location.pathname}${location.search}` });
    asked.catch((thrown: unknown) => setProblem(sentence(thrown)));
  };
  return (
    <div className="record">
      <button type="button" className="record-button" data-on={current !== undefined} onClick={press}>
        <span className="record-dot" aria-hidden="true" />
        {current ? `Stop recording${current.seconds > 0 ? ` · ${lengthOf(current.seconds)}` : ''}` : 'Record'}
      </button>
      {problem !== undefined && (
        <span className="record-problem" role="alert">
          {problem}
        </span>
      )}
    </div>
  );
}
