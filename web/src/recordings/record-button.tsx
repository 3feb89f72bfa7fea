import { useState } from 'react';
import type { Recording } from '../../../client/index.js';
import { useHub } from '../../../client/react.js';
import { roomOf } from '../rooms/room-path.js';
import { isUnderWay, sentence, useRecordings } from './use-recordings.js';
import { isOf, lengthOf } from './words.js';

/** Records this page as it is chosen now, or stops that. */
export function RecordButton() {
  const hub = useHub();
  const { recordings = [] } = useRecordings();
  const [problem, setProblem] = useState<string>();
  const [asked, setAsked] = useState<string>();
  const current = recordings.find((one) => isUnderWay(one) && isOf(one, location.pathname));
  const made = recordings.find(({ id, state }) => id === asked && state === 'ready');
  const start = async (): Promise<void> => {
    const room = roomOf(location.pathname);
    const url = `${location.pathname}${location.search}`;
    const { recording } = await hub.call('recording:start', { url, ...(room === undefined ? {} : { room }) });
    setAsked(recording.id);
  };
  const press = (): void => {
    setProblem(undefined);
    const done = current ? hub.call('recording:stop', { id: current.id }) : start();
    done.catch((thrown: unknown) => setProblem(sentence(thrown)));
  };
  return (
    <div className="record">
      <button
        type="button"
        className="record-button"
        data-on={current !== undefined}
        disabled={current?.state === 'finishing'}
        onClick={press}
      >
        <span className="record-dot" aria-hidden="true" />
        {current ? wordsFor(current) : 'Record'}
      </button>
      {made && !current && (
        <a className="record-made" href={`/recordings#${made.id}`}>
          Watch it
        </a>
      )}
      {problem !== undefined && (
        <span className="record-problem" role="alert">
          {problem}
        </span>
      )}
    </div>
  );
}

function wordsFor({ state, seconds }: Recording): string {
  if (state === 'finishing') return 'Finishing';
  if (state === 'queued') return 'Stop waiting';
  return `Stop recording${seconds > 0 ? ` · ${lengthOf(seconds)}` : ''}`;
}
