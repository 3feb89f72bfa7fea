import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { Deployment } from 'kubernetes-models/apps/v1';
import { HorizontalPodAutoscaler } from 'kubernetes-models/autoscaling/v2';
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1';
import { ConfigMap, Service } from 'kubernetes-models/v1';
import { parseAllDocuments } from 'yaml';
import { readConfig } from '../../src/config.js';
import { projectRoot } from '../support/project.js';

/** Each validates itself against Kubernetes's published schema. */
const MODELS = { Deployment, HorizontalPodAutoscaler, PodDisruptionBudget, ConfigMap, Service };

interface Manifest {
  readonly apiVersion: string;
  readonly kind: keyof typeof MODELS;
  readonly metadata: { readonly name: string };
  readonly [field: string]: unknown;
}

const read = async (name: string): Promise<unknown[]> =>
  parseAllDocuments(await readFile(join(projectRoot, 'deploy', 'k8s', name), 'utf8'), { strict: true }).map(
    (document) => {
      expect(document.errors).toEqual([]);
      return document.toJS() as unknown;
    },
  );

let manifests: Manifest[];
let deployments: Deployment[];
beforeAll(async () => {
  const [kustomization] = (await read('kustomization.yaml')) as [{ resources: string[] }];
  manifests = (await Promise.all(kustomization.resources.map(read))).flat() as Manifest[];
  deployments = manifests.filter(({ kind }) => kind === 'Deployment').map((one) => new Deployment(one as never));
});

function validate(manifest: Manifest): void {
  const Model = MODELS[manifest.kind] as unknown as new (data: unknown) => { validate(): void };
  const model = new Model(manifest);
  model.validate();
}

test('every manifest is as Kubernetes’s schema wants it', () => {
  expect(manifests.map(({ kind, metadata }) => `${kind} ${metadata.name}`).sort()).toEqual([
    'ConfigMap pollcast',
    'Deployment pollcast-hub',
    'Deployment pollcast-recorder',
    'HorizontalPodAutoscaler pollcast-hub',
    'HorizontalPodAutoscaler pollcast-recorder',
    'PodDisruptionBudget pollcast-hub',
    'PodDisruptionBudget pollcast-recorder',
    'Service pollcast',
  ]);
  for (const manifest of manifests) validate(manifest);
});

test('the check finds what is wrong', () => {
  const hub = manifests.find(({ kind }) => kind === 'Deployment') as Manifest;
  const broken = structuredClone(hub) as unknown as { spec: { template: { spec: { containers: object[] } } } };
  broken.spec.template.spec.containers = [{ image: 'no name' }];
  expect(() => validate(broken as unknown as Manifest)).toThrow(/name/);
  expect(() => validate({ ...hub, apiVersion: 'apps/v1beta1' })).toThrow(/apiVersion/);
});

describe('what the schema cannot know', () => {
  const containerOf = ({ spec }: Deployment) => spec?.template.spec?.containers[0];
  const named = (list: readonly { name: string; value?: string }[] = []): Record<string, string> =>
    Object.fromEntries(list.map(({ name, value }) => [name, value ?? 'x']));

  test('budgets, autoscalers and the service mean pods that there are', () => {
    const labels = new Map(deployments.map(({ metadata, spec }) => [metadata?.name, spec?.template.metadata?.labels]));
    for (const { metadata, spec } of deployments)
      expect(labels.get(metadata?.name)).toEqual(spec?.selector.matchLabels);
    for (const manifest of manifests) {
      const spec = manifest['spec'] as {
        scaleTargetRef?: { name: string };
        selector?: { matchLabels?: object } & Record<string, unknown>;
      };
      if (manifest.kind === 'HorizontalPodAutoscaler') expect([...labels.keys()]).toContain(spec.scaleTargetRef?.name);
      if (manifest.kind === 'PodDisruptionBudget')
        expect(spec.selector?.matchLabels).toEqual(labels.get(manifest.metadata.name));
      if (manifest.kind === 'Service') expect(spec.selector).toEqual(labels.get('pollcast-hub'));
    }
  });

  test('the hub takes the environment that they are given', () => {
    const shared = manifests.find(({ kind }) => kind === 'ConfigMap')?.['data'] as Record<string, string>;
    const secret = {
      ...{ REDIS_URL: 'redis://redis:6379', DATABASE_URL: 'postgres://db/app', STORAGE_URL: 's3://bucket/pollcast' },
      ...{
        AUTH_JWT_SECRET: 'a secret of at least thirty-two bytes',
        ADMIN_TOKEN: 'another-secret-that-is-long-enough',
      },
    };
    for (const deployment of deployments) {
      const own = named(containerOf(deployment)?.env);
      const config = readConfig({ ...shared, ...secret, ...own });
      expect(config).toMatchObject({ host: '0.0.0.0', port: 3000 });
      expect(String(config.recorder.slots)).toBe(own['RECORDER_SLOTS']);
      // Drained before it is killed.
      const graceMs = (deployment.spec?.template.spec?.terminationGracePeriodSeconds ?? 0) * 1_000;
      const waitMs = Number(containerOf(deployment)?.lifecycle?.preStop?.exec?.command?.at(-1) ?? 0) * 1_000;
      expect(graceMs).toBeGreaterThanOrEqual(waitMs + config.drainMs + 5_000);
    }
  });

  test('each is probed where the hub answers, and has its share', () => {
    for (const deployment of deployments) {
      const container = containerOf(deployment);
      expect(container?.startupProbe?.httpGet?.path).toBe('/health/live');
      expect(container?.livenessProbe?.httpGet?.path).toBe('/health/live');
      expect(container?.readinessProbe?.httpGet?.path).toBe('/health/ready');
      expect(container?.ports?.map(({ name }) => name)).toEqual(['http']);
      expect(container?.resources).toMatchObject({
        requests: { cpu: expect.anything(), memory: expect.anything() },
        limits: { memory: expect.anything() },
      });
    }
  });

  test('the autoscalers ask for metrics that the adapter makes of ours', async () => {
    const asked = manifests.flatMap(({ kind, spec }) =>
      kind === 'HorizontalPodAutoscaler'
        ? (spec as { metrics: { pods?: Metric; external?: Metric }[] }).metrics.flatMap(({ pods, external }) =>
            [pods, external].flatMap((one) => (one ? [one.metric.name] : [])),
          )
        : [],
    );
    const rules = JSON.stringify(await read('adapter-rules.yaml'));
    expect(asked.sort()).toEqual(['pollcast_recorder_demand', 'pollcast_viewers']);
    for (const name of asked) expect(rules).toContain(name);
    const documented = await readFile(join(projectRoot, 'docs', 'observability.md'), 'utf8');
    for (const name of new Set(rules.match(/pollcast_\w+/g)))
      if (name !== 'pollcast_recorder_demand') expect(documented).toContain(`\`${name}\``);
  });
});

interface Metric {
  readonly metric: { readonly name: string };
}
