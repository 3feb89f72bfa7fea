import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { judge, type Judgement, type Sight } from '../../src/kernel/liveness.js';
import type { NodeSighting } from '../../src/kernel/ports/store.js';

const LEASE = 5_000;
const GRACE = 2_000;

function node(id: string, ageMs = 0): NodeSighting {
  return { id, name: id, version: '1', startedAt: 0, state: 'live', kinds: [], info: {}, ageMs };
}

function sight(more: Partial<Sight> & { pulse?: number; own?: number; ageMs?: number } = {}): Sight {
  const { pulse = 1, own = 1, ageMs = 0, ...rest } = more;
  return {
    nodes: [node('me'), node('it', ageMs)],
    pulses: new Map([
      ['me', own],
      ['it', pulse],
    ]),
    self: 'me',
    ownPulseAgeMs: GRACE,
    ownBeatsMs: LEASE,
    ...rest,
  };
}

function verdict(judgement: Judgement): string {
  return judgement.dead.get('it')?.by ?? (judgement.suspects.has('it') ? 'suspect' : 'alive');
}

/** One sweep after another, each with the zeros of the last. */
function sweeps(...sights: readonly Sight[]): string[] {
  let zeros: ReadonlyMap<string, number> = new Map();
  return sights.map((one) => {
    const judgement = judge(zeros, one, LEASE, GRACE);
    zeros = judgement.zeros;
    return verdict(judgement);
  });
}

describe('liveness', () => {
  it.each([
    ['beats and has a pulse', [sight()], ['alive']],
    ['has no pulse once', [sight({ pulse: 0 })], ['suspect']],
    ['has no pulse twice in a row', [sight({ pulse: 0 }), sight({ pulse: 0 })], ['suspect', 'pulse']],
    ['had no pulse for a moment', [sight({ pulse: 0 }), sight(), sight({ pulse: 0 })], ['suspect', 'alive', 'suspect']],
    [
      'we have no pulse either: it is we who are blind',
      [sight({ pulse: 0, own: 0 }), sight({ pulse: 0, own: 0 })],
      ['alive', 'alive'],
    ],
    [
      'our own pulse has only just begun',
      [sight({ pulse: 0, ownPulseAgeMs: GRACE - 1 }), sight({ pulse: 0, ownPulseAgeMs: GRACE - 1 })],
      ['alive', 'alive'],
    ],
    ['has been silent for most of a lease', [sight({ ageMs: 3_400 })], ['suspect']],
    ['has been silent for a lease', [sight({ ageMs: 5_001 })], ['silence']],
    ['is silent while our own beats do not go through', [sight({ ageMs: 60_000, ownBeatsMs: 0 })], ['alive']],
    [
      'is silent since before our own beats went through again',
      [sight({ ageMs: 60_000, ownBeatsMs: LEASE - 1 })],
      ['alive'],
    ],
    [
      'was counted blind in between: the row is broken',
      [sight({ pulse: 0 }), sight({ pulse: 0, own: 0 }), sight({ pulse: 0 })],
      ['suspect', 'alive', 'suspect'],
    ],
    ['has no pulse and is silent', [sight({ pulse: 0, ageMs: 5_001 })], ['silence']],
    [
      'has a pulse that was not asked for',
      [sight({ pulses: new Map([['me', 1]]) }), sight({ pulses: new Map([['me', 1]]) })],
      ['alive', 'alive'],
    ],
  ])('a node that %s', (_what, seen, expected) => {
    expect(sweeps(...seen)).toEqual(expected);
  });

  it('never judges itself, and condemns nobody unless it can see for itself', () => {
    const some = fc.record({
      ageMs: fc.nat(20_000),
      pulse: fc.integer({ min: 0, max: 1 }),
      own: fc.integer({ min: 0, max: 1 }),
      ownPulseAgeMs: fc.nat(4_000),
      ownBeatsMs: fc.nat(10_000),
      ownAgeMs: fc.nat(20_000),
    });
    fc.assert(
      fc.property(fc.array(some, { minLength: 1, maxLength: 12 }), (rows) => {
        let zeros: ReadonlyMap<string, number> = new Map();
        let row = 0;
        for (const { ageMs, ownAgeMs, ...rest } of rows) {
          const judgement = judge(
            zeros,
            { ...sight(rest), nodes: [node('me', ownAgeMs), node('it', ageMs)] },
            LEASE,
            GRACE,
          );
          zeros = judgement.zeros;
          const seeing = rest.own === 1 && rest.ownPulseAgeMs >= GRACE;
          row = seeing && rest.pulse === 0 ? row + 1 : 0;
          expect(judgement.dead.has('me') || judgement.suspects.has('me')).toBe(false);
          const death = judgement.dead.get('it');
          if (death?.by === 'pulse') expect(row).toBeGreaterThanOrEqual(2);
          if (death?.by === 'silence') expect(ageMs > LEASE && rest.ownBeatsMs >= LEASE).toBe(true);
          if (row >= 2) expect(death?.by).toBe('pulse');
        }
      }),
    );
  });
});
