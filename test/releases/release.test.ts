import { describe, expect, it } from '@jest/globals';
import { nextRollout, type Rollout } from '../../src/releases/release.js';

function after(...looks: string[][]): (Rollout | null)[] {
  let known: Rollout | null = null;
  return looks.map((versions, i) => (known = nextRollout(known, versions, 1_000 + i)));
}

const versions = (rollouts: (Rollout | null)[]) => rollouts.map((rollout) => rollout?.release?.version ?? null);

describe('what is known of a rollout', () => {
  it('begins with the version that all agree on, and stays the same object while nothing changes', () => {
    const [first, second, third] = after(['1', '1'], ['1'], []);
    expect(first).toEqual({ release: { version: '1', since: 1_000 }, rolling: [], revision: 1 });
    expect(second).toBe(first);
    expect(third).toBe(first);
  });

  it('moves on when the last node has come along, and names what is on its way until then', () => {
    const all = after(['1', '1', '1'], ['1', '1'], ['1', '2', '1'], ['1', '2'], ['2', '2'], ['2', '2', '2']);
    expect(versions(all)).toEqual(['1', '1', '1', '1', '2', '2']);
    expect(all.map((one) => one?.rolling)).toEqual([[], [], ['2'], ['2'], [], []]);
    expect(all.at(-1)?.revision).toBe(3);
  });

  it('counts a rollback, and one that was given up half-way is none', () => {
    expect(versions(after(['2'], ['2', '1'], ['1']))).toEqual(['2', '2', '1']);
    const [, halfway, back] = after(['1'], ['1', '2'], ['1']);
    expect(back).toEqual({ release: halfway?.release, rolling: [], revision: 3 });
  });

  it('knows no release until the first agreement', () => {
    expect(versions(after(['1', '2'], ['2']))).toEqual([null, '2']);
  });

  it('never dates a release before the last one, whatever the clock says', () => {
    const first = nextRollout(null, ['1'], 5_000);
    expect(nextRollout(first, ['2'], 1_000)?.release?.since).toBe(5_001);
  });
});
