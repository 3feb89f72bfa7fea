import { ChaosViewer } from './chaos-viewer.js';
import { check } from './checker.js';
import { FAULTS, pause, type Fault } from './faults.js';
import { ofKind, type History } from './history.js';
import { Choices } from './random.js';
import { amiss } from './settle.js';
import { LANES, RACED, Stage, TERMS, VISITED, WATCHED, type Slot } from './stage.js';

export interface ChaosOptions {
  readonly seed: number;
  /** Ends before the round that would begin after this, ... */
  readonly minutes?: number;
  /** ... or after so many rounds. */
  readonly rounds?: number;
  /** Leave against join, on topics of their own. */
  readonly races: number;
  /** Rounds in which the owner of a poller hangs for longer than its lease. */
  readonly hangs: number;
  /** Each of these first, in an order of the seed's; those that the machine does not allow are left out. */
  readonly each?: readonly string[];
  /** Only these faults. */
  readonly faults?: readonly string[];
  readonly say: (line: string) => void;
}

export interface ChaosResult {
  readonly history: History;
  readonly violations: readonly string[];
  readonly figures: Readonly<Record<string, string | number>>;
}

/** Linger, a sweep, and as much again: what everything has to be in its place within, on a machine that does more than this. */
const SETTLE_MS = 2 * TERMS.leaseMs + TERMS.lingerMs + 10_000;

/** A cluster to which things are done, one round after the other, and the verdict on what was seen. */
export class ChaosRun {
  readonly #choices: Choices;
  readonly #viewers: ChaosViewer[] = [];
  readonly #settled: number[] = [];
  readonly #done = new Map<string, number>();
  #visitors = 0;

  private constructor(
    private readonly stage: Stage,
    private readonly options: ChaosOptions,
  ) {
    this.#choices = new Choices(options.seed);
  }

  static async run(options: ChaosOptions): Promise<ChaosResult> {
    const stage = await Stage.open();
    const run = new ChaosRun(stage, options);
    try {
      await run.#all();
    } finally {
      for (const viewer of run.#viewers) viewer.close();
      await stage.close();
    }
    const history = stage.recorder.events;
    return { history, violations: check(history, TERMS), figures: run.#figures() };
  }

  async #all(): Promise<void> {
    const { minutes = Infinity, rounds = Infinity, each = [], hangs, races } = this.options;
    for (const topic of WATCHED)
      for (let i = 0; i < 4; i++) this.#watch(topic, `${topic}${i}`, topic === 'parted' ? { k: i % 2 } : {});
    await this.#settle();
    const until = performance.now() + minutes * 60_000;
    if (this.stage.network === null) this.options.say(`no link is lost: ${this.stage.networkMissing}`);
    const first = this.#able().filter(({ name }) => each.includes(name));
    for (const fault of this.#choices.shuffled(first))
      await this.#inject([[fault, this.#choices.of(this.stage.slots)]]);
    for (let round = 0; round < rounds && performance.now() < until; round++) await this.#round();
    const owners = FAULTS.find(({ name }) => name === 'hang of an owner') as Fault;
    for (let i = 0; i < hangs; i++) await this.#inject([[owners, this.#choices.of(this.stage.slots)]]);
    if (races > 0) await this.#races(races);
    await this.#quiet();
  }

  #watch(topic: string, name: string, params: Record<string, unknown> = {}): void {
    this.#viewers.push(new ChaosViewer(name, this.stage.url, topic, params, this.stage.recorder));
  }

  #able(): Fault[] {
    return FAULTS.filter(({ needsNetwork }) => !needsNetwork || this.stage.network !== null);
  }

  async #round(): Promise<void> {
    const { faults } = this.options;
    const choices = this.#choices;
    const able = this.#able().filter(({ name }) => faults === undefined || faults.includes(name));
    const first = choices.weighted(able);
    const chosen: [Fault, Slot][] = [[first, choices.of(this.stage.slots)]];
    // Every third time something else goes wrong as well, somewhere else; a blip is judged by itself.
    if (choices.next() < 0.33 && !first.blip) {
      const second = choices.weighted(able);
      const [[, slot]] = chosen as [[Fault, Slot]];
      const elsewhere = choices.of(this.stage.slots.filter((other) => other !== slot));
      const apart =
        second.on !== first.on || (second.on === 'node' && !/owner|clock|link/.test(first.name + second.name));
      if (!second.blip && apart) chosen.push([second, elsewhere]);
    }
    await this.#inject(chosen);
  }

  async #inject(chosen: readonly (readonly [Fault, Slot])[]): Promise<void> {
    const { recorder } = this.stage;
    const visiting = this.#visit();
    await pause(this.#choices.between(0, 400));
    await Promise.all(
      chosen.map(async ([fault, slot]) => {
        const { name, doubt, local, lateQueries, lost, blip } = fault;
        const at = Date.now();
        // Written down before it begins as well: what is judged meanwhile must know of it.
        const target = await fault.run(this.stage, slot, this.#choices);
        recorder.note({ kind: 'fault', at, until: Date.now(), name, target, doubt, local, lateQueries, lost, blip });
        this.#done.set(name, (this.#done.get(name) ?? 0) + 1);
        this.options.say(`${name}: ${target}`);
      }),
    );
    await visiting;
    await this.#settle();
  }

  /** Somebody looks in on a topic that nobody else watches, and goes: in order, or without a word. */
  async #visit(): Promise<void> {
    const stay = this.#choices.between(100, 1_500);
    const cut = this.#choices.next() < 0.5;
    const viewer = new ChaosViewer(`visitor${this.#visitors++}`, this.stage.url, VISITED, {}, this.stage.recorder);
    await pause(stay);
    viewer.close({ cut });
  }

  /** Waits until everything is in its place, then whether everybody has the last state. */
  async #settle(): Promise<void> {
    const { stage } = this;
    const began = performance.now();
    const over = (): boolean => performance.now() - began > SETTLE_MS;
    let wrong: string[];
    do {
      await pause(100);
      wrong = await amiss(stage, this.#viewers).catch((error: unknown) => [String(error)]);
    } while (wrong.length > 0 && !over());
    const tookMs = Math.round(performance.now() - began);
    stage.recorder.note({ kind: 'settled', tookMs, amiss: wrong });
    this.#settled.push(tookMs);
    const n = await stage.pauseWriting();
    const deadline = performance.now() + SETTLE_MS;
    while (this.#viewers.some((viewer) => viewer.n !== n) && performance.now() < deadline) await pause(20);
    for (const topic of WATCHED) {
      const viewers = this.#viewers.filter((viewer) => viewer.topic === topic).map(({ name }) => name);
      stage.recorder.note({ kind: 'final', n, viewers, topic });
    }
    stage.resumeWriting();
    stage.readLogs();
    if (wrong.length > 0) this.options.say(`not settled: ${wrong.join('; ')}`);
  }

  /** Leaves and joins that meet, also where a poller is just about to end; whoever has joined must get a frame. */
  async #races(races: number): Promise<void> {
    const { url, recorder } = this.stage;
    const lane = async (topic: string): Promise<void> => {
      for (let round = 0; round < races / LANES; round++) {
        const leaver = await this.#joined(`${topic}-${round}a`, topic);
        const joinAfter = round % 5 === 0 ? TERMS.lingerMs - 20 + (round % 7) * 8 : round % 4;
        leaver.close({ cut: round % 3 === 0 });
        await pause(joinAfter);
        const joiner = await this.#joined(`${topic}-${round}b`, topic);
        joiner.close({ cut: round % 3 === 1 });
      }
    };
    await Promise.all(RACED.map(lane));
    this.#done.set('leave against join', races);
    this.options.say(`${races} races of leave against join through ${url}, ${recorder.events.length} events so far`);
    await this.#settle();
  }

  async #joined(name: string, topic: string): Promise<ChaosViewer> {
    const viewer = new ChaosViewer(name, this.stage.url, topic, {}, this.stage.recorder);
    const deadline = performance.now() + SETTLE_MS;
    while (!viewer.watching && performance.now() < deadline) await pause(2);
    if (!viewer.watching)
      this.stage.recorder.note({ kind: 'settled', tookMs: SETTLE_MS, amiss: [`${name} never got ${topic}`] });
    return viewer;
  }

  /** Everybody goes; then nobody may be asked any more, and nothing may be left. */
  async #quiet(): Promise<void> {
    for (const viewer of this.#viewers.splice(0)) viewer.close();
    await this.#settle();
    await pause(TERMS.lingerMs + 2 * TERMS.leaseMs);
    this.stage.readLogs();
  }

  #figures(): ChaosResult['figures'] {
    const { recorder } = this.stage;
    const history = recorder.events;
    const settled = [...this.#settled].sort((a, b) => a - b);
    const asked = ofKind(history, 'grant');
    const given = asked.filter(({ leftMs }) => leftMs !== null).length;
    const at = (part: number) => settled[Math.min(settled.length - 1, Math.floor(part * settled.length))] ?? 0;
    return {
      faults: [...this.#done].map(([name, count]) => `${name} × ${count}`).join(', '),
      'frames at viewers': ofKind(history, 'frame').length,
      'accepted publishes': ofKind(history, 'publish').length,
      'publishes refused by the fence': recorder.refused,
      'statements of pollers': ofKind(history, 'query').length,
      fences: ofKind(history, 'mint').length,
      claims: ofKind(history, 'claim').length,
      'leases of the witness': `${given} given, ${asked.length - given} refused`,
      'settled after': `p50 ${at(0.5)} ms, p95 ${at(0.95)} ms, max ${at(1)} ms`,
    };
  }
}
