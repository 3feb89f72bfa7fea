import type { Timer } from '../kernel/clock.js';
import type { ProcessContext } from '../kernel/kind.js';
import type { Topic } from '../topics/topic.js';
import type { PolledChannels } from './channels.js';

/** Demand is read again at most this often, however many come and go … */
const PAUSE_MS = 100;
/** … and never so often that reading it takes more than one part in so many of the time … */
const SHARE = 30;
/** … or of that in which nobody has said that it has changed: then it is read in case such a word was lost. */
const SHARE_UNASKED = 200;
/**
 * What reading one hold may cost at most. The rest of the time a reading takes, it waits: for a line that was broken, or on a busy
 * machine. That says nothing of the next one, and a leave is not to be noticed the later for it.
 */
const MOST_MS_EACH = 0.02;

/** Which of a poller's channels are wanted: its holds, brought into `channels` now and then. */
export class Demand {
  #timer: Timer | null = null;
  #readAt = -Infinity;
  #costMs = 0;
  #stopped = false;

  constructor(
    private readonly context: Pick<ProcessContext<unknown>, 'clock' | 'log' | 'holds'>,
    private readonly channels: PolledChannels,
    private readonly topic: () => Topic,
    /** It was read because it had changed. */
    private readonly changed: () => void,
  ) {}

  /** Reads it soon; many changes of it make one reading. */
  readSoon(): void {
    if (this.#timer || this.#stopped) return;
    const { clock, log } = this.context;
    const dueAt = this.#readAt + Math.max(PAUSE_MS, SHARE * this.#costMs);
    this.#timer = clock.after(Math.max(0, dueAt - clock.monotonic()), () => {
      this.#timer = null;
      this.read().then(this.changed, (error: unknown) => log.debug({ err: error }, 'the next beat reads the demand'));
    });
  }

  /** Reads it, unless that was done so shortly before that it would cost too much. */
  async readAgain(): Promise<void> {
    if (this.context.clock.monotonic() - this.#readAt >= SHARE_UNASKED * this.#costMs) await this.read();
  }

  async read(): Promise<void> {
    const { clock, log } = this.context;
    const asked = clock.monotonic();
    this.#readAt = asked;
    const held = new Set((await this.context.holds()).map((hold) => hold.ref));
    if (this.#stopped) return;
    for (const key of held) {
      try {
        this.channels.admit(this.topic(), key, clock.now());
      } catch (error) {
        log.debug({ err: error, channel: key }, 'a hold on a channel that the topic does not have');
      }
    }
    this.channels.held(held, asked, clock.monotonic());
    this.#costMs = Math.min(clock.monotonic() - asked, held.size * MOST_MS_EACH);
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }
}
