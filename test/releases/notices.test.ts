import { describe, expect, it } from '@jest/globals';
import { Notices, saidVersion } from '../../src/releases/notices.js';
import type { Word } from '../../src/releases/release-kind.js';

function viewer() {
  const told: string[] = [];
  return { told, emit: (_event: 'release', { version }: { version: string }) => told.push(version) };
}

let revision = 0;
function word(version: string, { rolling = [] as string[], news = false } = {}): Word {
  revision += 1;
  return { rollout: { release: { version, since: revision }, rolling, revision }, news };
}

describe('notices', () => {
  it('tell each viewer of a release once, however often word of it comes', () => {
    const notices = new Notices();
    const viewers = [viewer(), viewer()];
    notices.learn(word('1'));
    viewers.forEach((one, i) => notices.add(one, i === 0 ? '1' : undefined));
    const release = word('2', { news: true });
    notices.learn(release);
    notices.learn(release);
    notices.learn({ ...word('2'), news: false });
    for (const { told } of viewers) expect(told).toEqual(['2']);
  });

  it('come to one that was away, and not to one that has been told elsewhere', () => {
    const notices = new Notices();
    notices.learn(word('2'));
    const [old, told, silent] = [viewer(), viewer(), viewer()];
    notices.add(old, '1');
    notices.add(told, '2');
    notices.add(silent, undefined);
    expect([old.told, told.told, silent.told]).toEqual([['2'], [], []]);
  });

  it('wait while the version of a viewer is on its way here, and come when that was given up', () => {
    const notices = new Notices();
    notices.learn(word('1', { rolling: ['2'] }));
    const [early, gone] = [viewer(), viewer()];
    notices.add(early, '2');
    notices.add(gone, '2');
    notices.remove(gone);
    expect(early.told).toEqual([]);
    notices.learn(word('1'));
    expect([early.told, gone.told]).toEqual([['1'], []]);
  });

  it('reach viewers that say nothing on a node that is new: with the news, not with word of how things stand', () => {
    const [standing, news] = [viewer(), viewer()];
    const first = new Notices();
    first.add(standing, undefined);
    first.learn(word('2'));
    expect(standing.told).toEqual([]);
    first.learn(word('3', { news: true }));
    expect(standing.told).toEqual(['3']);
    const second = new Notices();
    second.add(news, undefined);
    second.learn(word('2', { news: true }));
    expect(news.told).toEqual(['2']);
  });

  it('do not believe an older word after a newer one', () => {
    const notices = new Notices();
    const [older, newer] = [word('1'), word('2')];
    const one = viewer();
    notices.learn(newer);
    notices.learn(older);
    notices.add(one, '2');
    expect(one.told).toEqual([]);
  });

  it('take a version from a handshake only when it can be one', () => {
    expect(saidVersion({ version: '1.2.3' })).toBe('1.2.3');
    for (const auth of [undefined, null, {}, { version: 1 }, { version: 'x'.repeat(65) }, { version: {} }])
      expect(saidVersion(auth)).toBeUndefined();
  });
});
