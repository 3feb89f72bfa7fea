import { useEffect, useRef, useState } from 'react';
import type { Row } from '../../../client/index.js';
import { useHub, type TopicView } from '../../../client/react.js';
import { mergeSamples, withSample, type Sample } from '../trend.js';

const WINDOW_MS = 300_000;

/**
 * The last five minutes of a number. What the hub still keeps of the time before the page was opened comes first, so that
 * the line does not start empty; a topic that keeps nothing starts with its first frame.
 */
export function useTrend(view: TopicView, read: (rows: readonly Row[]) => number | undefined): readonly Sample[] {
  const hub = useHub();
  const [samples, setSamples] = useState<readonly Sample[]>([]);
  const { channel, rows, updatedAt, switching } = view;
  const reader = useRef(read);

  useEffect(() => {
    setSamples([]);
    if (channel === undefined) return;
    let left = false;
    hub.history({ channel }).then(
      (frames) => {
        if (left) return;
        const past = frames.flatMap(({ polledAt, rows: then }) => {
          const value = reader.current(then);
          return value === undefined ? [] : [{ at: hub.clock.toLocal(polledAt), value }];
        });
        setSamples((since) => mergeSamples(past, since));
      },
      // The line then starts with the first frame; the panel tells by itself if the channel is in trouble.
      () => undefined,
    );
    return () => {
      left = true;
    };
  }, [hub, channel]);

  useEffect(() => {
    const value = rows === undefined || switching ? undefined : reader.current(rows);
    if (value === undefined || updatedAt === undefined) return;
    setSamples((before) => withSample(before, { at: updatedAt, value }, WINDOW_MS));
  }, [channel, rows, updatedAt, switching]);

  return samples;
}
