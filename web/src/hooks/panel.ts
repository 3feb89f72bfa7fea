import type { Params } from '../../../client/index.js';
import { useConnection, useTopic, type TopicView } from '../../../client/react.js';
import type { TopicInfo } from '../topics.js';
import { troubleOf, type Trouble } from '../trouble.js';
import { useReportHealth } from './health.js';
import { useWhileVisible } from './page-life.js';

export interface Watched {
  readonly view: TopicView;
  readonly trouble: Trouble | undefined;
}

/** A topic as a part of the page watches it: it stands still while the page is hidden, and counts in the page's health. */
export function useWatched(place: string, topic: TopicInfo, params: Params): Watched {
  const live = useTopic(topic.name, params, { presence: topic.presence });
  const connection = useConnection();
  const view = useWhileVisible(live);
  useReportHealth(place, topic.title, live.state);
  return { view, trouble: troubleOf(view, connection.state) };
}
