/**
 * Deals free places to slices by how many rows wait in each: in proportion, nobody more than it has use for, and what
 * rounding leaves over to those who wait longest in line. All places are dealt as long as anybody waits.
 */
export function deal(places: number, waiting: ReadonlyMap<number, number>): Map<number, number> {
  const wanting = [...waiting].filter(([, count]) => count > 0);
  const total = wanting.reduce((sum, [, count]) => sum + count, 0);
  const dealt = new Map<number, number>();
  if (places <= 0) return dealt;
  const share = Math.min(1, places / total);
  let left = Math.min(places, total);
  for (const [slice, count] of wanting) {
    const some = Math.floor(count * share);
    dealt.set(slice, some);
    left -= some;
  }
  const byNeed = wanting.sort(([a, countA], [b, countB]) => countB - countA || a - b);
  for (const [slice, count] of byNeed) {
    const more = Math.min(left, count - (dealt.get(slice) ?? 0), 1);
    if (more <= 0) continue;
    dealt.set(slice, (dealt.get(slice) ?? 0) + more);
    left -= more;
  }
  for (const [slice, some] of dealt) if (some === 0) dealt.delete(slice);
  return dealt;
}
