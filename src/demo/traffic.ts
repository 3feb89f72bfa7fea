/**
 * What happens in the demo's business, decided without a database: rates that follow the day and ripple by the minute, and
 * a seeded generator, so that a run can be repeated.
 */

/** A source of numbers from 0 (included) to 1 (excluded). */
export type Random = () => number;

/** mulberry32: small, fast, good enough to look like customers. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const DAY_MS = 86_400_000;

/** How busy the shop is at a moment, around 1: quiet at 4 h UTC, busiest at 16 h, with ripples of minutes and seconds. */
export function busyness(atMs: number): number {
  const turn = (periodMs: number) => Math.sin((2 * Math.PI * (atMs % periodMs)) / periodMs);
  const day = -Math.cos(2 * Math.PI * ((atMs % DAY_MS) / DAY_MS - 4 / 24));
  return Math.max(0.15, 1 + 0.35 * day + 0.25 * turn(190_000) + 0.12 * turn(43_000));
}

/** Events per second at busyness 1. The seed of `schema.sql` ends with about the same. */
const RATES = { orders: 0.7, views: 8.3, errors: 0.12, tickets: 0.02, deployments: 0.008 } as const;

export interface OrderDraft {
  readonly region: string;
  readonly customer: string;
  readonly items: readonly { readonly product: number; readonly quantity: number }[];
}

export interface ViewDraft {
  readonly path: string;
  readonly region: string;
  readonly device: string;
  readonly visitor: number;
  readonly loadMs: number;
}

export interface ErrorDraft {
  readonly service: string;
  readonly severity: string;
  readonly message: string;
}

export interface TicketDraft {
  readonly priority: string;
  readonly subject: string;
  readonly assignee: string | null;
}

/** Everything that happened within one tick. */
export interface Happenings {
  readonly orders: readonly OrderDraft[];
  readonly views: readonly ViewDraft[];
  readonly errors: readonly ErrorDraft[];
  readonly tickets: readonly TicketDraft[];
  /** Services that started to roll out a new version. */
  readonly deployments: readonly string[];
}

const PRODUCTS = 48;
const REGIONS = ['EU', 'EU', 'EU', 'EU', 'US', 'US', 'US', 'APAC', 'APAC'];
const DEVICES = ['mobile', 'mobile', 'mobile', 'desktop', 'desktop', 'tablet'];
const NAMES = ['Anna', 'Ben', 'Chloé', 'Dmitri', 'Elif', 'Femi', 'Grace', 'Hiro', 'Inès', 'Jonas', 'Kavya', 'Luis'];
const PATHS = [
  '/',
  '/',
  '/',
  '/search',
  '/search',
  '/cart',
  '/checkout',
  '/sale',
  '/lighting',
  '/kitchen',
  '/living',
  '/office',
  '/garden',
  '/bedroom',
  '/help',
  '/stores',
];
const FAILURES: readonly (readonly [service: string, message: string])[] = [
  ['checkout', 'payment provider answered 502'],
  ['checkout', 'cart was changed during payment'],
  ['search', 'index is 40 s behind'],
  ['search', 'query took longer than 2 s'],
  ['catalog', 'image variant is missing'],
  ['accounts', 'too many failed sign-ins'],
  ['accounts', 'mail was refused by the receiver'],
  ['shipping', 'carrier did not confirm the label'],
];
export const SERVICES = ['checkout', 'search', 'catalog', 'accounts', 'shipping'];
const SUBJECTS = [
  'Where is my parcel?',
  'Wrong item received',
  'Refund has not arrived',
  'Cannot sign in',
  'Change delivery address',
  'Invoice with VAT number',
  'Lamp arrived broken',
  'Voucher is refused',
];
const SEVERITIES = ['warning', 'warning', 'warning', 'error', 'error', 'fatal'];
const PRIORITIES = ['low', 'normal', 'normal', 'normal', 'urgent'];
const ASSIGNEES = ['Mara', 'Tom', 'Yusuf', 'Lena', null];

export class Traffic {
  /** A service that is in trouble fails ten times as often as all others together, for half a minute or so. */
  private incident: { readonly failure: readonly [string, string]; readonly untilMs: number } | undefined;

  constructor(private readonly random: Random) {}

  /** What happened in the `elapsedMs` before `nowMs`. */
  tick(nowMs: number, elapsedMs: number): Happenings {
    const expected = (rate: number) => (rate * busyness(nowMs) * elapsedMs) / 1000;
    return {
      orders: this.times(expected(RATES.orders), () => this.order()),
      views: this.times(expected(RATES.views), () => this.view()),
      errors: this.errors(nowMs, elapsedMs),
      tickets: this.times(expected(RATES.tickets), () => ({
        priority: this.pick(PRIORITIES),
        subject: this.pick(SUBJECTS),
        assignee: this.pick(ASSIGNEES),
      })),
      deployments: this.times((RATES.deployments * elapsedMs) / 1000, () => this.pick(SERVICES)),
    };
  }

  private order(): OrderDraft {
    // Squaring makes a few products best sellers; they change places every now and then by chance.
    const products = new Set(this.times(2, () => Math.floor(this.random() ** 2 * PRODUCTS)));
    if (products.size === 0) products.add(Math.floor(this.random() * PRODUCTS));
    return {
      region: this.pick(REGIONS),
      customer: `${this.pick(NAMES)} ${String.fromCharCode(65 + Math.floor(this.random() * 26))}.`,
      items: [...products].map((product) => ({ product, quantity: this.random() < 0.8 ? 1 : 2 })),
    };
  }

  private view(): ViewDraft {
    return {
      path: this.pick(PATHS),
      region: this.pick(REGIONS),
      device: this.pick(DEVICES),
      visitor: Math.floor(this.random() * 9000),
      loadMs: Math.round(60 + 240 * this.random() + 1500 * this.random() ** 12),
    };
  }

  private errors(nowMs: number, elapsedMs: number): ErrorDraft[] {
    if (this.incident && this.incident.untilMs <= nowMs) this.incident = undefined;
    // On average one incident in four minutes.
    if (!this.incident && this.random() < elapsedMs / 240_000) {
      this.incident = { failure: this.pick(FAILURES), untilMs: nowMs + 15_000 + 30_000 * this.random() };
    }
    const { incident } = this;
    const usual = this.times((RATES.errors * elapsedMs) / 1000, () => this.error(this.pick(FAILURES)));
    const unusual = incident
      ? this.times((RATES.errors * 10 * elapsedMs) / 1000, () => this.error(incident.failure))
      : [];
    return [...usual, ...unusual];
  }

  private error([service, message]: readonly [string, string]): ErrorDraft {
    return { service, severity: this.pick(SEVERITIES), message };
  }

  /** Poisson: as many as `expected` on average, each chance independent. */
  private times<T>(expected: number, make: () => T): T[] {
    const made: T[] = [];
    const limit = Math.exp(-Math.min(expected, 500));
    for (let product = this.random(); product > limit; product *= this.random()) made.push(make());
    return made;
  }

  private pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.random() * list.length)]!;
  }
}
