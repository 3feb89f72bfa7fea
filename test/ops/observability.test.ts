import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { Metrics } from '../../src/ops/metrics.js';
import { projectRoot } from '../support/project.js';

/** Names of all metrics of a node, as Prometheus is told. */
async function served(): Promise<string[]> {
  const metrics = new Metrics();
  const none = () => 0;
  metrics.show({
    processes: none,
    viewers: none,
    channels: none,
    linked: () => true,
    leaseLeftMs: none,
    mailboxDepth: none,
  });
  metrics.recorder({ slots: none, used: none, queued: none, oldestMs: none });
  return [...(await metrics.text()).matchAll(/^# TYPE (\w+)/gm)].map(([, name = '']) => name);
}

const ofNode = (name: string): boolean => /^pollcast_(nodejs|process)_/.test(name);
const read = (path: string): Promise<string> => readFile(join(projectRoot, path), 'utf8');
const named = (text: string): string[] => [...new Set(text.match(/\bpollcast_[a-z0-9_]+/g))];

test('every metric is documented, and every documented one is there', async () => {
  const docs = await read('docs/observability.md');
  const table = named(docs.slice(docs.indexOf('## Metrics'), docs.indexOf('## Alarms')));
  const documented = table.filter((name) => !name.endsWith('_'));
  expect(documented.sort()).toEqual((await served()).filter((name) => !ofNode(name)).sort());
});

test('the Grafana dashboard and the alarms ask for metrics that are there', async () => {
  const names = await served();
  const docs = await read('docs/observability.md');
  const dashboard = await read('deploy/grafana/pollcast.json');
  const asked = named(dashboard + docs.slice(docs.indexOf('## Alarms'), docs.indexOf('## Traces')));
  expect(asked.length).toBeGreaterThan(15);
  expect(asked.filter((name) => !names.includes(name.replace(/_bucket$/, '')))).toEqual([]);
});
