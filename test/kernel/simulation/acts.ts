/** What goes wrong. `node` and `name` count round. */
export type Fault =
  | { do: 'crash' | 'restart' | 'drain' | 'link' | 'blip'; node: number }
  | { do: 'pause' | 'cut' | 'cutWithPulse'; node: number; ms: number }
  | { do: 'step'; node: number; ms: number }
  | { do: 'freeze'; ms: number }
  | { do: 'wipe' }
  | { do: 'blipAll' };

export interface Use {
  readonly do: 'ensure' | 'hold' | 'unhold' | 'move' | 'stop';
  readonly node: number;
  readonly name: number;
}

export type Act = Fault | Use | { do: 'wait'; ms: number };

export interface Scenario {
  readonly seed: number;
  readonly acts: readonly Act[];
}
