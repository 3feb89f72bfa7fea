import type { Scenario } from './acts.js';

/** Scenarios that once broke a promise, shrunk, with the seed that found them. */
export const regressions: readonly { readonly found: string; readonly what: string; readonly scenario: Scenario }[] = [
  {
    found: '771001',
    what: 'the store loses its data while a process changes hands: its last owner writes the spec again',
    scenario: {
      seed: -24,
      acts: [
        { do: 'ensure', node: 0, name: 1 },
        { do: 'move', node: 0, name: 1 },
        { do: 'wipe' },
        { do: 'wait', ms: 5 },
        { do: 'wait', ms: 5 },
        { do: 'link', node: 0 },
        { do: 'wait', ms: 5 },
      ],
    },
  },
];
