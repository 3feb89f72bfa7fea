import { ofKind, type EventOf, type FrameEvent, type History, type PublishEvent, type Terms } from './history.js';

/**
 * What a history shows that must not be: one sentence each, led by the number of the invariant (docs/reliability.md). Pure:
 * the same history, the same answer.
 */
export function check(history: History, terms: Terms): string[] {
  return [
    ...positionsAndValues(history),
    ...finalStates(history),
    ...publishers(history),
    ...delivered(history),
    ...fences(history),
    ...overlaps(history, terms),
    ...leases(history, terms),
    ...queriesForNobody(history, terms),
    ...unsettled(history),
    ...blips(history, terms),
    ...endings(history),
  ];
}

type Position = Pick<FrameEvent, 'epoch' | 'seq'>;

const compare = (a: Position, b: Position): number => a.epoch - b.epoch || a.seq - b.seq;
const where = ({ epoch, seq }: Position): string => `${epoch}-${seq}`;

function group<T>(items: readonly T[], key: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const list = groups.get(key(item));
    if (list) list.push(item);
    else groups.set(key(item), [item]);
  }
  return groups;
}

/** 1, 8: nothing goes back and nothing comes twice, neither by position nor by what it says. */
function positionsAndValues(history: History): string[] {
  const found: string[] = [];
  for (const frames of group(ofKind(history, 'frame'), (f) => `${f.viewer} ${f.channel}`).values()) {
    let before: FrameEvent | undefined;
    for (const frame of frames) {
      if (before) {
        const order = compare(frame, before);
        const what = `${frame.viewer} got ${frame.channel} ${where(frame)} (${frame.via}, n ${frame.n}, at ${frame.at}) after ${where(before)} (n ${before.n})`;
        if (order < 0) found.push(`1: went back: ${what}`);
        else if (order === 0 && frame.via === 'frame') found.push(`8: came twice: ${what}`);
        else if (frame.n < before.n) found.push(`1: shows the past: ${what}`);
      }
      before = frame;
    }
  }
  return found;
}

/** 1: once the database stands still, everybody has its last state. */
function finalStates(history: History): string[] {
  const frames = group(ofKind(history, 'frame'), (frame) => frame.viewer);
  return ofKind(history, 'final').flatMap(({ at, n, viewers, topic }) =>
    viewers.flatMap((viewer) => {
      const last = frames.get(viewer)?.findLast((frame) => frame.at <= at);
      return last?.n === n
        ? []
        : [`1: ${viewer} of ${topic} missed the final state: ${last?.n ?? 'nothing'} instead of ${n} at ${at}`];
    }),
  );
}

/** 2: what is published under a fence was asked for by the one node that claimed it; positions are never used twice. */
function publishers(history: History): string[] {
  const found: string[] = [];
  const claims = new Map(ofKind(history, 'claim').map((claim) => [`${claim.name} ${claim.fence}`, claim]));
  for (const [poller, rounds] of group(ofKind(history, 'publish'), (round) => round.poller)) {
    const taken = new Map<string, string>();
    let highest = 0;
    for (const round of rounds) {
      if (round.fence < highest)
        found.push(`2: ${poller} published under fence ${round.fence} after ${highest}, at ${round.at}`);
      highest = Math.max(highest, round.fence);
      const owner = claims.get(`${poller} ${round.fence}`)?.node;
      for (const frame of round.frames) {
        if (owner !== undefined && frame.by !== owner)
          found.push(
            `2: ${frame.channel} ${where(frame)} was asked for by ${frame.by}, under ${owner}'s fence ${round.fence}`,
          );
        const says = `${frame.n} ${frame.by}`;
        const key = `${frame.channel} ${where(frame)}`;
        if ((taken.get(key) ?? says) !== says)
          found.push(`2: ${key} was published twice: ${taken.get(key)} and ${says}`);
        taken.set(key, says);
      }
    }
  }
  return found;
}

/** 2, 4: a frame that viewers got live is one that was accepted, and says the same. */
function delivered(history: History): string[] {
  const published = new Map<string, PublishEvent['frames'][number]>();
  for (const { frames } of ofKind(history, 'publish'))
    for (const f of frames) published.set(`${f.channel} ${where(f)}`, f);
  const seen = new Map<string, FrameEvent>();
  return ofKind(history, 'frame').flatMap((frame) => {
    const key = `${frame.channel} ${where(frame)}`;
    // Without Redis nodes ask for their own viewers and say so: such frames are not the cluster's.
    if (frame.state === 'stale') return [];
    const first = published.get(key) ?? seen.get(key);
    seen.set(key, frame);
    if (!first || (first.n === frame.n && first.by === frame.by)) return [];
    return [`4: ${frame.viewer} got ${key} as n ${frame.n} by ${frame.by}; published was n ${first.n} by ${first.by}`];
  });
}

/** 3: fences grow, whatever Redis has lost. */
function fences(history: History): string[] {
  const found: string[] = [];
  const grow = (what: string, list: readonly { fence: number; at: number }[]): void => {
    list.forEach(({ fence, at }, i) => {
      const before = list[i - 1]?.fence ?? 0;
      if (fence <= before) found.push(`3: ${what}: fence ${fence} after ${before}, at ${at}`);
    });
  };
  grow('minted', ofKind(history, 'mint'));
  for (const [name, claims] of group(ofKind(history, 'claim'), (claim) => claim.name)) grow(name, claims);
  return found;
}

/**
 * 2, 5: whoever is not the owner any more asks nothing any more. Each statement is judged by what went wrong around itself: a
 * former owner may be cut off long after it was replaced, and asks for its own viewers then; and that something went wrong
 * when it was replaced, does not excuse what it asks long afterwards.
 */
function overlaps(history: History, { leaseMs, slackMs }: Terms): string[] {
  const found: string[] = [];
  const faults = ofKind(history, 'fault');
  const near = (at: number) => faults.filter((f) => f.at - leaseMs < at && at < f.until + 2 * leaseMs);
  const queries = group(ofKind(history, 'query'), (query) => `poller:${query.topic}`);
  for (const [name, claims] of group(ofKind(history, 'claim'), (claim) => claim.name)) {
    claims.forEach((claim, i) => {
      const former = claims[i - 1];
      if (!former || former.node === claim.node) return;
      const doubt = near(claim.at).some((fault) => fault.doubt);
      const margin = slackMs + (doubt ? leaseMs : leaseMs * 0.01 + 2);
      const until = claims[i + 1]?.at ?? Infinity;
      const late = queries
        .get(name)
        ?.findLast(
          ({ by, at }) =>
            by === former.node &&
            at > claim.at + margin &&
            at < until &&
            !near(at).some((fault) => fault.local || fault.lateQueries),
        );
      if (late)
        found.push(
          `2: ${former.node} asked for ${late.topic} ${late.at - claim.at} ms after ${claim.node} had taken it (fence ${claim.fence})`,
        );
    });
  }
  return found;
}

/**
 * 5: a lease that is given has time left, and no more than Redis keeps it for; what a node claims, it claims under a lease that
 * runs by Redis's own account.
 */
function leases(history: History, { leaseMs }: Terms): string[] {
  const found: string[] = [];
  const lossy = ofKind(history, 'fault').filter(({ lost }) => lost);
  const mayBeLost = (at: number): boolean => lossy.some((f) => f.at - leaseMs < at && at < f.until + leaseMs);
  for (const { at, name, leftMs, tookMs } of ofKind(history, 'grant'))
    if (leftMs !== null && leftMs <= 0)
      found.push(`5: ${name} was given after ${Math.round(tookMs)} ms with ${Math.round(leftMs)} ms left, at ${at}`);
  for (const { at, name, storedMs, leftMs } of ofKind(history, 'kept'))
    if (leftMs > 0 && storedMs < leftMs && !mayBeLost(at))
      found.push(`5: ${name} is believed for ${Math.round(leftMs)} ms, Redis keeps it for ${storedMs} ms, at ${at}`);
  const slow = ofKind(history, 'fault').filter(({ lateClaims }) => lateClaims);
  const mayBeLate = (since: number, at: number): boolean =>
    slow.some((f) => f.at < at && since < f.until && at < f.until + leaseMs);
  const granted = group(ofKind(history, 'lease'), (lease) => lease.name);
  for (const claim of ofKind(history, 'claim')) {
    const last = granted.get(claim.name)?.findLast(({ node, at }) => node === claim.node && at <= claim.at);
    const age = claim.at - (last?.at ?? -Infinity);
    if (age > leaseMs && !(last && mayBeLate(last.at, claim.at)))
      found.push(`5: ${claim.node} claimed ${claim.name} ${age} ms after its lease, at ${claim.at}`);
  }
  return found;
}

/** 6: when the last viewer has gone, however, nobody asks any more after the linger and one interval. */
function queriesForNobody(history: History, { leaseMs, lingerMs, intervalMs, slackMs }: Terms): string[] {
  const found: string[] = [];
  const faults = ofKind(history, 'fault');
  const queries = group(ofKind(history, 'query'), (query) => query.topic);
  for (const [topic, moves] of group(ofKind(history, 'join', 'leave'), (move) => move.topic)) {
    const there = new Set<string>();
    moves.forEach((move, i) => {
      if (move.kind === 'join') there.add(move.viewer);
      else there.delete(move.viewer);
      if (move.kind === 'join' || there.size > 0) return;
      const next = moves[i + 1]?.at ?? Infinity;
      let from = move.at + lingerMs + intervalMs + slackMs;
      // Who cannot be told of it, or does not live, learns of it afterwards: within two sweeps.
      for (const fault of faults)
        if (fault.at < from && fault.until > move.at - 2 * leaseMs)
          from = Math.max(from, fault.until + lingerMs + 2 * leaseMs + intervalMs + slackMs);
      const late = queries.get(topic)?.find(({ at }) => at > from && at < next);
      if (late) found.push(`6: ${late.by} asked for ${topic} ${late.at - move.at} ms after its last viewer had gone`);
    });
  }
  return found;
}

/** 7: when all is mended, everything is in its place within the time for it. */
function unsettled(history: History): string[] {
  return ofKind(history, 'settled').flatMap(({ at, tookMs, amiss }) =>
    amiss.map((what) => `7: ${what}, ${tookMs} ms after all was mended (at ${at})`),
  );
}

/**
 * 8: all pulses gone at once make at most one handover of each process. A poller that begins because somebody comes, when nobody
 * was there, has not changed hands; and what follows upon the next fault is that one's.
 */
function blips(history: History, { leaseMs }: Terms): string[] {
  const claims = ofKind(history, 'claim');
  const faults = ofKind(history, 'fault');
  return faults
    .filter((fault) => fault.blip)
    .flatMap(({ at, until }) => {
      const end = Math.min(until + leaseMs, ...faults.filter((next) => next.at > until).map((next) => next.at));
      const after = claims.filter((claim) => claim.at > at && claim.at < end);
      const moved = after.filter((claim) => wasWatched(history, topicOf(claim.name), at, claim.at));
      return [...group(moved, (claim) => claim.name)]
        .filter(([, list]) => list.length > 1)
        .map(([name, list]) => `8: ${name} changed hands ${list.length} times after a pulse blip at ${at}`);
    });
}

/** Whether one and the same viewer was there all the while. */
function wasWatched(history: History, topic: string, from: number, to: number): boolean {
  const there = new Set<string>();
  for (const move of ofKind(history, 'join', 'leave')) {
    if (move.topic !== topic || move.at > to) continue;
    if (move.kind === 'leave') there.delete(move.viewer);
    else if (move.at <= from) there.add(move.viewer);
  }
  return there.size > 0;
}

/** `poller:topic`, with `#2` behind it where it is one of several. */
const topicOf = (poller: string): string => poller.slice(poller.indexOf(':') + 1).replace(/#\d+$/, '');

/** 9: nothing ends that was not ended, and nothing is written that is a bug. */
function endings(history: History): string[] {
  return [
    ...ofKind(history, 'exit')
      .filter(({ expected }) => !expected)
      .map(({ node, how, at }) => `9: ${node} ended by itself with ${how} at ${at}`),
    ...ofKind(history, 'complaint').map(
      ({ node, line }: EventOf<'complaint'>) => `9: ${node} wrote ${line.slice(0, 600)}`,
    ),
  ];
}
