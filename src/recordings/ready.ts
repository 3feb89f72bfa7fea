import { sleep, type Clock } from '../kernel/clock.js';
import type { Logger } from '../kernel/log.js';
import { recordingName, type RecordingArgs } from './recording.js';
import type { Studio } from './studio.js';

/** How long a studio waits for a recording that was announced. */
const KEEP_MS = 15_000;

interface Ready {
  readonly studio: Promise<Studio | null>;
  readonly taken: AbortController;
}

/** Studios that show their page already, while the recording is still made on the node that hands it over. */
export class ReadyStudios {
  readonly #ready = new Map<string, Ready>();
  #closed = false;

  constructor(
    private readonly open: (args: RecordingArgs) => Promise<Studio>,
    private readonly clock: Clock,
    private readonly log: Logger,
  ) {}

  get size(): number {
    return this.#ready.size;
  }

  has(name: string): boolean {
    return this.#ready.has(name);
  }

  /** Resolves when the page is shown; `false`: it could not be. */
  async prepare(args: RecordingArgs): Promise<boolean> {
    if (this.#closed) return false;
    const name = recordingName(args.id);
    let ready = this.#ready.get(name);
    if (!ready) {
      ready = { studio: this.#open(args), taken: new AbortController() };
      this.#ready.set(name, ready);
      void this.#throwAwayLater(name, ready);
    }
    return (await ready.studio) !== null;
  }

  async take(id: string): Promise<Studio | null> {
    const name = recordingName(id);
    const ready = this.#ready.get(name);
    if (!ready) return null;
    this.#ready.delete(name);
    ready.taken.abort();
    return ready.studio;
  }

  async close(): Promise<void> {
    this.#closed = true;
    const left = [...this.#ready.values()];
    this.#ready.clear();
    await Promise.all(
      left.map(async ({ studio, taken }) => {
        taken.abort();
        await (await studio)?.close();
      }),
    );
  }

  async #open(args: RecordingArgs): Promise<Studio | null> {
    try {
      const studio = await this.open(args);
      try {
        // What it shows while the other one finishes is not to be missing.
        await studio.browser.rehearse();
        return studio;
      } catch (error) {
        await studio.close();
        throw error;
      }
    } catch (error) {
      this.log.warn({ err: error, recording: args.id }, 'not made ready for a recording that is handed over');
      return null;
    }
  }

  async #throwAwayLater(name: string, ready: Ready): Promise<void> {
    const studio = await ready.studio;
    await sleep(this.clock, studio ? KEEP_MS : 0, ready.taken.signal);
    if (ready.taken.signal.aborted || this.#ready.get(name) !== ready) return;
    this.#ready.delete(name);
    await studio?.close();
  }
}
