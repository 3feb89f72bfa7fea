/**
 * Where a SELECT's result may have nulls, as far as its text tells. In doubt a column may have them.
 */
type Node = Record<string, unknown>;

/** Functions whose result is never null, whatever they are given. */
const NEVER_NULL = new Set(['count', 'regr_count', 'row_number', 'rank', 'dense_rank', 'now']);

/**
 * Whether a column may be null although the table that it comes from says NOT NULL: an outer join and ROLLUP fill up with
 * nulls, and of a set operation nobody knows which branch a row comes from. Such a thing anywhere in the statement counts.
 */
export function mayPad(select: unknown): boolean {
  const pending: unknown[] = [{ SelectStmt: select }];
  for (let value = pending.pop(); value !== undefined; value = pending.pop()) {
    if (typeof value !== 'object' || value === null) continue;
    for (const [key, below] of Object.entries(value as Node)) {
      const { jointype, op } = (below ?? {}) as { jointype?: string; op?: string };
      if (key === 'GroupingSet') return true;
      if (key === 'JoinExpr' && jointype !== 'JOIN_INNER') return true;
      // Branches of a set operation are no `SelectStmt` of their own, but this one is.
      if (key === 'SelectStmt' && op !== 'SETOP_NONE') return true;
      pending.push(below);
    }
  }
  return false;
}

/** Whether an entry of the select list is never null by what it is: a count, a constant, `coalesce(…, 0)`. */
export function isNeverNull(value: unknown): boolean {
  const { TypeCast, CoalesceExpr, FuncCall } = (value ?? {}) as {
    TypeCast?: { arg?: Node };
    CoalesceExpr?: { args?: Node[] };
    FuncCall?: { funcname?: { String?: { sval?: string } }[] };
  };
  // A text can be the jsonb `null`, which casts to a null.
  if (TypeCast) return isNeverNull(TypeCast.arg) && !endsInText(TypeCast.arg);
  if (CoalesceExpr) return (CoalesceExpr.args ?? []).some(isNeverNull);
  if (FuncCall) {
    const [first, ...rest] = FuncCall.funcname ?? [];
    const name = rest.at(-1) ?? first;
    return (rest.length === 0 || first?.String?.sval === 'pg_catalog') && NEVER_NULL.has(name?.String?.sval ?? '');
  }
  return isConstant(value);
}

function isConstant(value: unknown): boolean {
  const { A_Const } = (value ?? {}) as { A_Const?: { isnull?: boolean } };
  return A_Const !== undefined && A_Const.isnull !== true;
}

function endsInText(value: unknown): boolean {
  const { A_Const, CoalesceExpr } = (value ?? {}) as { A_Const?: { sval?: unknown }; CoalesceExpr?: { args?: Node[] } };
  if (CoalesceExpr) return (CoalesceExpr.args ?? []).some(endsInText);
  return A_Const?.sval !== undefined;
}
