import { hasSqlDetails, loadModule, parseSync } from 'libpg-query';
import { didYouMean } from './nearest.js';
import { scanPlaceholders, type ScannedSql } from './placeholders.js';
import { isNeverNull, mayPad } from './nulls.js';
import { deniedFunction, deniedInFrom, readsFiles, type Dialect } from './policy.js';
import { Offsets } from './position.js';
import { sharingHazard } from './sharing.js';
import { elementType } from './values.js';
import type { ParamSpec, ParamType, ScalarType, Statement } from './topic.js';

// The parser is WebAssembly; once loaded it is synchronous, and so is all that reads topic files.
await loadModule();

/** A fault in SQL text; `offset` counts JavaScript's characters from the start of that text. */
export interface SqlProblem {
  readonly offset: number;
  readonly message: string;
}

/** One SELECT that may be run. */
export interface PreparedSql {
  readonly statement: Statement;
  /** A position in `statement.text` as Postgres reports it (characters from 1) → offset in the text as written. */
  readonly toSource: (position: number) => number;
  /** Of each column of the select list where that can be told without the database: see `ResultColumn`. */
  readonly columns: readonly ResultColumn[];
  /** Whether columns may be null that are NOT NULL in their table: see `mayPad`. */
  readonly padded: boolean;
  /** The functions that it calls by name. */
  readonly calls: readonly FunctionCall[];
}

export interface FunctionCall {
  readonly schema?: string;
  readonly name: string;
  /** As in `SqlProblem`. */
  readonly offset: number;
}

/** One entry of the outermost select list. */
export interface ResultColumn {
  readonly offset: number;
  /** A count, a rank: typed `bigint`, but never near 2^53. */
  readonly small: boolean;
  /** Never null, whatever the tables hold. */
  readonly filled: boolean;
}

export interface SqlResult {
  /** Absent when there are problems. */
  readonly prepared?: PreparedSql;
  readonly problems: readonly SqlProblem[];
  /** Declared parameters that the text uses. */
  readonly used: ReadonlySet<string>;
}

const PG_TYPES: Record<ScalarType, string> = {
  text: 'text',
  int: 'int4',
  bigint: 'int8',
  float: 'float8',
  bool: 'bool',
  date: 'date',
  timestamptz: 'timestamptz',
  uuid: 'uuid',
};

/** Postgres's name of a parameter's type. */
export function pgType(type: ParamType): string {
  const { scalar, array } = elementType(type);
  return array ? `${PG_TYPES[scalar]}[]` : PG_TYPES[scalar];
}

/**
 * Checks that `source` is one SELECT that only reads, and rewrites its `:name` tokens to `($n::type)`.
 *
 * The cast makes a parameter's type independent of where it stands; the parentheses keep the cast together where a
 * subscript follows (`:ids[1]`) or only a primary may stand (`FETCH FIRST :n ROWS ONLY`). Because parentheses could also
 * turn nonsense into SQL (`IN :ids`), the text is parsed once with bare `$n` first.
 *
 * @param params undefined when they are not known: only the SQL itself is checked then
 */
export function prepareSql(
  source: string,
  params: readonly ParamSpec[] | undefined,
  dialect: Dialect = 'postgres',
): SqlResult {
  const specs = new Map(params?.map((spec) => [spec.name, spec]));
  const problems: SqlProblem[] = [];
  const used = new Set<string>();
  let scanned: ScannedSql;
  if (source.trim() === '') return { problems: [{ offset: 0, message: NOTHING }], used };
  try {
    scanned = scanPlaceholders(source, new Set(specs.keys()));
  } catch {
    return { problems: [scanProblem(source)], used };
  }
  for (const offset of scanned.numbered) {
    problems.push({ offset, message: 'expected a parameter by name, got one by number: declare it and write `:name`' });
  }
  const numbers = new Map<string, number>();
  for (const { name, start } of scanned.placeholders) {
    if (!numbers.has(name)) numbers.set(name, numbers.size + 1);
    if (specs.has(name)) used.add(name);
    else if (params)
      problems.push({
        offset: start,
        message: `parameter \`:${name}\` is not declared under params${didYouMean(name, specs.keys())}`,
      });
  }
  const names = [...numbers.keys()];
  const bare = new Rewrite(source, scanned, (name) => `$${numbers.get(name)}`);
  const parsed = parseOne(bare, names, scanned, dialect);
  problems.push(...parsed.problems);
  if (problems.length > 0 || !parsed.select || !params) return { problems, used };

  const typed = new Rewrite(source, scanned, (name) => `($${numbers.get(name)}::${pgType(specs.get(name)!.type)})`);
  const again = parseOne(typed, names, scanned, dialect);
  if (again.problems.length > 0) return { problems: again.problems, used };
  const alone = names.length > 0 ? sharingHazard(parsed.select) : undefined;
  const statement = { text: typed.text, params: names, ...(alone === undefined ? {} : { alone }) };
  return {
    prepared: {
      statement,
      toSource: (position) => typed.fromCharacters(position - 1),
      columns: columnsOf(parsed.select, bare),
      padded: mayPad(parsed.select),
      calls: parsed.calls,
    },
    problems,
    used,
  };
}

/** SQL text with its placeholders replaced, and the way back. Ends before trailing semicolons and comments. */
class Rewrite {
  readonly text: string;
  private readonly offsets: Offsets;
  /** Start in the rewritten text, start in the source, whether the piece was copied. */
  private readonly pieces: { at: number; from: number; copied: boolean }[] = [];

  constructor(
    readonly source: string,
    scanned: ScannedSql,
    render: (name: string) => string,
  ) {
    let text = '';
    let from = 0;
    for (const { name, start, end } of scanned.placeholders) {
      this.pieces.push({ at: text.length, from, copied: true });
      text += source.slice(from, start);
      this.pieces.push({ at: text.length, from: start, copied: false });
      // Without the space `LIMIT:n` would become the name `LIMIT$1`.
      text += /[\w$\u0080-\uffff]$/.test(text) ? ` ${render(name)}` : render(name);
      from = end;
    }
    this.pieces.push({ at: text.length, from, copied: true });
    this.text = text + source.slice(from, scanned.end);
    this.offsets = new Offsets(this.text);
  }

  fromCharacters(characters: number): number {
    return this.toSource(this.offsets.fromCharacters(characters));
  }

  fromBytes(bytes: number): number {
    return this.toSource(this.offsets.fromBytes(bytes));
  }

  private toSource(index: number): number {
    const piece = this.pieces.findLast(({ at }) => at <= index) ?? { at: 0, from: 0, copied: true };
    return piece.copied ? piece.from + (index - piece.at) : piece.from;
  }
}

const NOTHING = 'expected one SELECT, got no SQL';

type Node = Record<string, unknown>;

function parseOne(
  rewrite: Rewrite,
  names: readonly string[],
  scanned: ScannedSql,
  dialect: Dialect,
): { select?: Node; problems: SqlProblem[]; calls: FunctionCall[] } {
  const wrong = (offset: number, message: string) => ({ problems: [{ offset, message }], calls: [] });
  if (scanned.end === 0) return wrong(0, NOTHING);
  let stmts: { stmt?: unknown; stmt_location?: number }[];
  try {
    stmts = parseSync(rewrite.text).stmts ?? [];
  } catch (error) {
    return { problems: [parseProblem(error, rewrite, names, scanned)], calls: [] };
  }
  const second = stmts[1];
  if (second) {
    const gap =
      /^[\s;]*/.exec(
        Buffer.from(rewrite.text)
          .subarray(second.stmt_location ?? 0)
          .toString(),
      )?.[0].length ?? 0;
    const offset = rewrite.fromBytes((second.stmt_location ?? 0) + gap);
    return wrong(offset, `expected one SELECT, got ${stmts.length} statements`);
  }
  const root = (stmts[0]?.stmt ?? {}) as Node;
  const [kind = ''] = Object.keys(root);
  if (kind !== 'SelectStmt') return wrong(0, `expected one SELECT, got ${statementWord(kind)}`);
  const select = root.SelectStmt as Node;
  const problems =
    select.op === 'SETOP_NONE' && !select.targetList && !select.valuesLists
      ? [{ offset: 0, message: 'expected a SELECT with columns, got one without' }]
      : [];
  const { problems: found, calls } = walk(root, rewrite, [...scanned.locks], dialect);
  return { select, problems: [...problems, ...found], calls };
}

/**
 * Everything in the tree that does more than read, and all functions that it calls. Walked with a list of its own: the
 * depth is the file's to choose.
 */
function walk(
  root: Node,
  rewrite: Rewrite,
  locks: number[],
  dialect: Dialect,
): { problems: SqlProblem[]; calls: FunctionCall[] } {
  const problems: SqlProblem[] = [];
  const calls: FunctionCall[] = [];
  const pending: { value: unknown; near: number }[] = [{ value: root, near: 0 }];
  for (let entry = pending.pop(); entry; entry = pending.pop()) {
    if (Array.isArray(entry.value)) {
      for (const value of entry.value as unknown[]) pending.push({ value, near: entry.near });
      continue;
    }
    if (typeof entry.value !== 'object' || entry.value === null) continue;
    for (const [key, value] of Object.entries(entry.value as Node)) {
      const near = locationOf(value) ?? entry.near;
      const message = forbiddenNode(key, value) ?? (dialect === 'duckdb' ? forbiddenInDuck(key, value) : undefined);
      // The tree has no place for a locking clause, the scanner has; which belongs to which is all one.
      const lock = key === 'lockingClause' ? locks.shift() : undefined;
      if (message !== undefined) problems.push({ offset: lock ?? rewrite.fromBytes(near), message });
      if (key === 'FuncCall') calls.push({ ...calledBy(value), offset: rewrite.fromBytes(near) });
      pending.push({ value, near });
    }
  }
  return { problems: problems.sort((a, b) => a.offset - b.offset), calls };
}

function calledBy(call: unknown): { schema?: string; name: string } {
  const { funcname = [] } = call as { funcname?: { String?: { sval?: string } }[] };
  const path = funcname.map((part) => part.String?.sval ?? '');
  const schema = path.at(-2);
  return { name: path.at(-1) ?? '', ...(schema === undefined ? {} : { schema }) };
}

function forbiddenNode(key: string, value: unknown): string | undefined {
  switch (key) {
    case 'InsertStmt':
    case 'UpdateStmt':
    case 'DeleteStmt':
    case 'MergeStmt':
      return `a topic only reads: ${statementWord(key)} is not allowed, not even in a CTE`;
    case 'intoClause':
      return 'a topic only reads: SELECT INTO creates a table';
    case 'lockingClause':
      return 'a topic only reads: FOR UPDATE, FOR SHARE and the like lock rows';
    case 'FuncCall': {
      const { schema, name } = calledBy(value);
      const denied = deniedFunction(schema, name, ((value as { args?: unknown[] }).args ?? []).length);
      return denied && `a topic only reads: ${denied}`;
    }
    default:
      return undefined;
  }
}

/** What DuckDB has beyond that: functions in FROM that reach for files, and worse. */
function forbiddenInDuck(key: string, value: unknown): string | undefined {
  if (key === 'FuncCall') {
    const { args = [] } = value as { args?: Node[] };
    const named = readsFiles(nameOf(value as Node));
    if (!named || ('A_Const' in (args[0] ?? {}) && !/"(ParamRef|SubLink|FuncCall)"/.test(JSON.stringify(args)))) return;
    return `\`${nameOf(value as Node)}\` reads files: expected a constant text that names them`;
  }
  if (key !== 'RangeFunction') return undefined;
  const calls = [...JSON.stringify(value).matchAll(/"FuncCall":\{"funcname":\[(.*?)\]/g)];
  const names = calls.map(([, path = '']) => [...path.matchAll(/"sval":"([^"]*)"/g)].at(-1)?.[1] ?? '');
  const denied = names.map(deniedInFrom).find((why) => why !== undefined);
  return denied && `a topic only reads: ${denied}`;
}

function nameOf({ funcname }: Node): string {
  return (funcname as { String?: { sval?: string } }[] | undefined)?.at(-1)?.String?.sval ?? '';
}

function locationOf(value: unknown): number | undefined {
  if (Array.isArray(value)) return value.map(locationOf).find((location) => location !== undefined);
  if (typeof value !== 'object' || value === null) return undefined;
  const { location, relation, rel } = value as { location?: unknown; relation?: unknown; rel?: unknown };
  if (typeof location === 'number' && location >= 0) return location;
  return locationOf(relation) ?? locationOf(rel);
}

const COUNTS = new Set(['count', 'row_number', 'rank', 'dense_rank', 'ntile', 'regr_count', 'cardinality', 'grouping']);

/** Empty where the list has a `*` or comes from a set operation: then nothing is known about single columns. */
function columnsOf(select: Node, rewrite: Rewrite): ResultColumn[] {
  const list = (select.targetList ?? []) as { ResTarget?: { val?: Node; location?: number } }[];
  // ROLLUP and the like make nulls even of constants.
  const rolledUp = JSON.stringify(select.groupClause ?? []).includes('"GroupingSet"');
  const columns = list.map(({ ResTarget }) => ({
    offset: rewrite.fromBytes(ResTarget?.location ?? 0),
    small: isCount(ResTarget?.val),
    filled: !rolledUp && isNeverNull(ResTarget?.val),
    star:
      JSON.stringify(ResTarget?.val ?? null).startsWith('{"ColumnRef"') &&
      JSON.stringify(ResTarget?.val).includes('"A_Star"'),
  }));
  return columns.some(({ star }) => star) ? [] : columns;
}

function isCount(value: Node | undefined): boolean {
  const coalesce = value?.CoalesceExpr as { args?: Node[] } | undefined;
  if (coalesce) return (coalesce.args ?? []).every((argument) => isCount(argument) || 'A_Const' in argument);
  const call = value?.FuncCall as { funcname?: { String?: { sval?: string } }[] } | undefined;
  return COUNTS.has(call?.funcname?.at(-1)?.String?.sval ?? '');
}

/**
 * The scanner stops at an unterminated string or a bad number without a position. The parser knows it, but stops at `:`
 * first; so it gets the text with everything that looks like a placeholder made into one of the same length.
 */
function scanProblem(source: string): SqlProblem {
  const sameLength = source.replace(/(?<![:\w]):([a-z]\w*)/gi, (found) => '$1'.padEnd(found.length));
  try {
    parseSync(sameLength);
    return { offset: 0, message: 'expected SQL that Postgres can read' };
  } catch (error) {
    const position = hasSqlDetails(error) ? (error.sqlDetails?.cursorPosition ?? 0) : 0;
    return { offset: new Offsets(source).fromCharacters(position), message: sentence(error) };
  }
}

function parseProblem(error: unknown, rewrite: Rewrite, names: readonly string[], scanned: ScannedSql): SqlProblem {
  if (!hasSqlDetails(error)) return { offset: 0, message: sentence(error) };
  const offset = rewrite.fromCharacters(error.sqlDetails?.cursorPosition ?? 0);
  if (scanned.quoted.includes(offset)) {
    return { offset, message: "psql's quoted form of a parameter is not supported: write `:name` without quotes" };
  }
  const name = names[Number(/"\$(\d+)"/.exec(error.message)?.[1]) - 1];
  if (name !== undefined && /\bin\s*$/i.test(rewrite.source.slice(0, offset))) {
    return {
      offset,
      message: `expected a list after IN, got \`:${name}\`: declare an array and write \`= ANY (:${name})\``,
    };
  }
  return { offset, message: sentence(error, names) };
}

/** The parser's message in the file's words: `$1` is called by its name. */
function sentence(error: unknown, names: readonly string[] = []): string {
  if (error instanceof RangeError) return 'the SQL is nested too deeply';
  const message = error instanceof Error ? error.message : String(error);
  return message.replace(/"\$(\d+)"/g, (found, n: string) =>
    names[Number(n) - 1] ? `":${names[Number(n) - 1]}"` : found,
  );
}

function statementWord(kind: string): string {
  return (
    kind
      .replace(/Stmt$/, '')
      .replace(/([a-z])([A-Z])/g, '$1 $2')
      .toUpperCase() || 'something else'
  );
}
