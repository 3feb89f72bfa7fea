import type { ParamSpec, Topic } from '../../src/topics/topic.js';

/** A topic of which only the parameters matter. */
export function topicWith(params: readonly ParamSpec[], name = 'sales.by_region'): Topic {
  return {
    name,
    title: name,
    file: `${name.replaceAll('.', '/')}.sql`,
    version: '0',
    intervalMs: 1_000,
    params,
    key: [],
    roles: [],
    timeoutMs: 5_000,
    maxRows: 5_000,
    partitions: 1,
    retainMs: 0,
    presence: false,
    select: { text: 'SELECT 1 AS one', params: [] },
    sql: 'SELECT 1 AS one',
  };
}
