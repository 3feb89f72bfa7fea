import { expect, test } from '@jest/globals';
import { Mount } from '../../src/http/mount.js';
import { queued, toWire } from '../../src/recordings/recording.js';

const recording = queued({
  id: 'one',
  owner: { user: 'ada', roles: ['analyst'], claims: {} },
  target: { hub: '/' },
  title: 'The dashboard',
  maxSeconds: 10,
  requestedAt: 1,
});

test('addresses of a recording lead back to the hub, whatever stands before its routes', () => {
  expect(toWire(recording, new Mount())).not.toHaveProperty('url');
  const ready = { ...recording, state: 'ready' } as const;
  expect(toWire(ready, new Mount())).toMatchObject({ url: '/api/recordings/one/video' });
  const mount = new Mount('live');
  mount.below(() => 'v1');
  const shown = toWire(ready, mount);
  expect(shown).toMatchObject({
    url: '/v1/live/api/recordings/one/video',
    timelineUrl: '/v1/live/api/recordings/one/timeline',
    thumbnailUrl: '/v1/live/api/recordings/one/thumbnail',
  });
  expect(shown).not.toHaveProperty('owner');
});
