import { useEffect, useState } from 'react';
import { useConnection } from '../../../client/react.js';
import { fetchTopics, type TopicInfo } from '../topics.js';

const RETRY_MS = 3000;
const REFRESH_MS = 10_000;

export interface Served {
  readonly topics: readonly TopicInfo[] | undefined;
  /** Why there are none yet. */
  readonly problem: string | undefined;
}

/** The topics that the hub serves: asked again now and then and at each connection, for their files may change. */
export function useServedTopics(): Served {
  const [served, setServed] = useState<Served>({ topics: undefined, problem: undefined });
  const { state } = useConnection();
  useEffect(() => {
    if (state === 'offline') return;
    const ended = new AbortController();
    let next: ReturnType<typeof setTimeout> | undefined;
    const askIn = (ms: number): void => {
      next = setTimeout(() => void ask(), ms);
    };
    const ask = async (): Promise<void> => {
      if (document.hidden) return askIn(REFRESH_MS);
      try {
        const topics = await fetchTopics(ended.signal);
        setServed((before) =>
          JSON.stringify(before.topics) === JSON.stringify(topics) ? before : { topics, problem: undefined },
        );
        askIn(REFRESH_MS);
      } catch (thrown) {
        if (ended.signal.aborted) return;
        const problem = thrown instanceof Error ? thrown.message : String(thrown);
        setServed(({ topics }) => ({ topics, problem: topics === undefined ? problem : undefined }));
        askIn(RETRY_MS);
      }
    };
    void ask();
    return () => {
      ended.abort();
      clearTimeout(next);
    };
  }, [state]);
  return served;
}
