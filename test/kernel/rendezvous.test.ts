import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { candidates } from '../../src/kernel/placement.js';
import { rendezvous } from '../../src/kernel/rendezvous.js';
import type { NodeSighting } from '../../src/kernel/ports/store.js';

const nodes = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 12 }), { minLength: 1, maxLength: 8 });

describe('rendezvous order', () => {
  it('is the same on every node, however it lists them', () => {
    fc.assert(
      fc.property(fc.string(), nodes, fc.infiniteStream(fc.nat()), (name, list, keys) => {
        const shuffled = list
          .map((node) => ({ node, key: keys.next().value as number }))
          .sort((a, b) => a.key - b.key)
          .map(({ node }) => node);
        expect(rendezvous(name, shuffled)).toEqual(rendezvous(name, list));
        expect([...rendezvous(name, list)].sort()).toEqual([...list].sort());
      }),
    );
  });

  it('moves only the names of the node that is gone', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.string(), { maxLength: 30 }), nodes, fc.nat(), (names, list, pick) => {
        const dead = list[pick % list.length] as string;
        const survivors = list.filter((node) => node !== dead);
        for (const name of names) {
          const before = rendezvous(name, list);
          expect(rendezvous(name, survivors)).toEqual(before.filter((node) => node !== dead));
        }
      }),
    );
  });

  it('spreads names about evenly', () => {
    const owners = Array.from({ length: 3_000 }, (_, i) => rendezvous(`poller:t${i}`, ['a', 'b', 'c'])[0]);
    for (const node of ['a', 'b', 'c']) expect(owners.filter((owner) => owner === node).length).toBeGreaterThan(850);
  });

  it('leaves out who takes no work and who does not know the kind', () => {
    const node = (id: string, more: Partial<NodeSighting> = {}): NodeSighting => ({
      ...{ id, name: id, version: '1', startedAt: 0, state: 'live', kinds: ['k'], info: {}, ageMs: 0 },
      ...more,
    });
    const list = [
      node('a'),
      node('b', { state: 'cordoned' }),
      node('c', { state: 'draining' }),
      node('d', { kinds: [] }),
    ];
    expect(candidates('x', list, 'k')).toEqual(['a']);
  });
});
