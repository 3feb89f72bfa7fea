type Node = Record<string, unknown>;

/** Sub-selects that Postgres may answer from a hash table which it keeps while the parameters stay the same. */
const HASHED = new Set(['EXISTS_SUBLINK', 'ANY_SUBLINK']);

/**
 * Why channels must not share this SELECT although Postgres would plan it; undefined when they may.
 *
 * A column of a UNION ALL's branch is copied into every place that uses it, after its EXISTS or IN became a sub-plan. Two
 * copies in one plan node have one plan and a hash table each, and when a parameter changes Postgres (seen with 18.4; others were not tried)
 * seems to rebuild only the table that is looked at first: the other copy answers for the parameters of the channel before. Alone no parameter ever changes. Told from the text, since plans change with the statistics: it
 * says so of some SELECTs that would do no harm.
 */
export function sharingHazard(select: unknown): string | undefined {
  const ctes = new Map<string, unknown[]>();
  visit(select, (key, value) => {
    if (key !== 'CommonTableExpr') return;
    const { ctename = '', ctequery } = value as { ctename?: string; ctequery?: unknown };
    ctes.set(ctename, [...(ctes.get(ctename) ?? []), ctequery]);
  });
  let found = false;
  visit({ SelectStmt: select }, (_, value) => {
    const { op, all, larg, rarg } = value as { op?: string; all?: boolean; larg?: unknown; rarg?: unknown };
    if (op === 'SETOP_UNION' && all === true) found ||= [larg, rarg].some((branch) => givesHashed(branch, ctes));
  });
  return found
    ? 'a column of a UNION ALL comes from EXISTS or IN (SELECT …): Postgres would mix up the channels’ answers'
    : undefined;
}

/** Whether a column of the branch may come from such a sub-select; what its WHERE says gives no column. */
function givesHashed(branch: unknown, ctes: ReadonlyMap<string, unknown[]>): boolean {
  const pending = [branch];
  const entered = new Set<string>();
  let found = false;
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    visit(next, (key, value) => {
      if (key === 'whereClause') return false;
      const { subLinkType = '', relname = '' } = value as { subLinkType?: string; relname?: string };
      found ||= HASHED.has(subLinkType);
      if (key !== 'RangeVar' || entered.has(relname)) return true;
      entered.add(relname);
      pending.push(...(ctes.get(relname) ?? []));
      return true;
    });
  }
  return found;
}

/** Every object below, with the key that it stands under; `false` keeps out what is below it. A list of its own: the depth is the file's. */
function visit(root: unknown, each: (key: string, value: Node) => boolean | void): void {
  const pending: { key: string; value: unknown }[] = [{ key: '', value: root }];
  for (let entry = pending.pop(); entry !== undefined; entry = pending.pop()) {
    const { key, value } = entry;
    if (typeof value !== 'object' || value === null) continue;
    if (Array.isArray(value)) for (const element of value as unknown[]) pending.push({ key, value: element });
    else if (each(key, value as Node) !== false)
      for (const [name, below] of Object.entries(value)) pending.push({ key: name, value: below });
  }
}
