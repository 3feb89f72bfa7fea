import { PollcastError } from '../errors.js';

/**
 * How often and how soon a crashed process is started again. Pure: the moment is an argument.
 *
 * At most `most` restarts in `withinMs`, as an OTP supervisor's intensity and period; past that the process is
 * `failed`, and tried again only after `failedMs`, for what broke it may have been mended meanwhile.
 */
export interface RestartRule {
  readonly most: number;
  readonly withinMs: number;
  readonly firstMs: number;
  readonly longestMs: number;
  readonly failedMs: number;
}

export const RESTARTS: RestartRule = { most: 5, withinMs: 10_000, firstMs: 50, longestMs: 2_000, failedMs: 30_000 };

export interface RestartDecision {
  readonly failed: boolean;
  readonly delayMs: number;
  /** Crashes that still count, this one included. */
  readonly crashes: readonly number[];
}

/** @param random in [0, 1): spreads restarts that a common cause would make simultaneous */
export function decideRestart(
  crashes: readonly number[],
  nowMs: number,
  random: number,
  rule: RestartRule = RESTARTS,
): RestartDecision {
  const recent = [...crashes.filter((at) => nowMs - at < rule.withinMs), nowMs];
  if (recent.length > rule.most) return { failed: true, delayMs: rule.failedMs * (0.75 + random / 2), crashes: [] };
  const full = Math.min(rule.longestMs, rule.firstMs * 2 ** (recent.length - 1));
  return { failed: false, delayMs: full * (0.5 + random / 2), crashes: recent };
}

/**
 * How soon a process is started again that an outage of something it needs has ended. Never `failed`, for it is not its
 * fault; but slower each time, so that thousands of them do not storm what is just coming back.
 *
 * @param outages when it was ended so before
 */
export function decideOutage(
  outages: readonly number[],
  nowMs: number,
  random: number,
  rule: RestartRule = RESTARTS,
): { readonly delayMs: number; readonly outages: readonly number[] } {
  const recent = [...outages.filter((at) => nowMs - at < rule.withinMs), nowMs];
  const full = Math.min(rule.longestMs, rule.firstMs * 2 ** (recent.length - 1));
  return { delayMs: full * (0.5 + random / 2), outages: recent };
}

/** What has ended a process so far, for as long as it counts. */
export class RestartHistory {
  #crashes: readonly number[] = [];
  #outages: readonly number[] = [];

  next(error: unknown, nowMs: number, random: number): { readonly failed: boolean; readonly delayMs: number } {
    if (error instanceof PollcastError && error.code === 'UNAVAILABLE') {
      const { delayMs, outages } = decideOutage(this.#outages, nowMs, random);
      this.#outages = outages;
      return { failed: false, delayMs };
    }
    const decision = decideRestart(this.#crashes, nowMs, random);
    this.#crashes = decision.crashes;
    return decision;
  }
}
