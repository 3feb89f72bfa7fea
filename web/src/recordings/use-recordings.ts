import { useEffect, useState } from 'react';
import type { Recording } from '../../../client/index.js';
import { useConnection, useHub } from '../../../client/react.js';

export interface Known {
  /** Newest first; undefined: not known yet. */
  readonly recordings: readonly Recording[] | undefined;
  readonly problem: string | undefined;
}

/** One's own recordings, as they come about: asked at each connection, told of each change. */
export function useRecordings(): Known {
  const hub = useHub();
  const { state } = useConnection();
  const [known, setKnown] = useState<Known>({ recordings: undefined, problem: undefined });
  useEffect(() => {
    const change = (recording: Recording): void =>
      setKnown(({ recordings = [] }) => ({ recordings: withOne(recordings, recording), problem: undefined }));
    return hub.on('recording', change);
  }, [hub]);
  useEffect(() => {
    if (state !== 'online') return;
    let gone = false;
    hub.call('recording:list', {}).then(
      ({ recordings }) => !gone && setKnown({ recordings, problem: undefined }),
      (thrown: unknown) => !gone && setKnown((before) => ({ ...before, problem: sentence(thrown) })),
    );
    return () => void (gone = true);
  }, [hub, state]);
  return known;
}

function withOne(recordings: readonly Recording[], one: Recording): readonly Recording[] {
  const others = recordings.filter(({ id }) => id !== one.id);
  return [...others, one].sort((a, b) => b.requestedAt - a.requestedAt);
}

export function isUnderWay({ state }: Recording): boolean {
  return state !== 'ready' && state !== 'error';
}

export function sentence(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
