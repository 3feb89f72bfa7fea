import { readFileSync, writeFileSync } from 'node:fs';
import type { Result } from './bench.js';

export interface Report {
  readonly at: string;
  readonly node: string;
  readonly cpu: string;
  readonly memoryGb: number;
  readonly quick: boolean;
  readonly full: boolean;
  readonly scenarios: Readonly<Record<string, ScenarioReport>>;
}

export interface ScenarioReport extends Result {
  readonly seconds: number;
  /** One-minute load average when it began: how busy the machine was with other things. */
  readonly loadBefore: number;
  readonly error?: string;
}

/**
 * Puts what was measured into a Markdown file, between `<!-- NAME -->` and `<!-- /NAME -->` of each scenario that the
 * report has. The text around stays as it is. Returns the names that the file has no place for.
 */
export function fillIn(file: string, report: Report): string[] {
  let text = readFileSync(file, 'utf8');
  const homeless: string[] = [];
  for (const [name, result] of Object.entries(report.scenarios)) {
    const [begin, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
    const from = text.indexOf(begin);
    const to = text.indexOf(end);
    if (from < 0 || to < from) {
      homeless.push(name);
      continue;
    }
    text = `${text.slice(0, from + begin.length)}\n\n${markdown(report, result)}\n${text.slice(to)}`;
  }
  writeFileSync(file, text);
  return homeless;
}

function markdown(report: Report, { tables, goals, seconds, loadBefore, error }: ScenarioReport): string {
  const parts = tables.map(({ title, rows }) => {
    const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
    const line = (cells: readonly unknown[]) => `| ${cells.map(String).join(' | ')} |`;
    const body = rows.map((row) => line(columns.map((column) => row[column] ?? '')));
    return [
      `**${title}**`,
      '',
      line(columns.map((column) => column.trim())),
      line(columns.map(() => '---')),
      ...body,
      '',
    ].join('\n');
  });
  if (goals.length > 0) {
    const lines = goals.map(({ goal, seen, met }) => `- ${met ? 'reached' : '**missed**'}: ${goal}. Seen: ${seen}`);
    parts.push(`${lines.join('\n')}\n`);
  }
  if (error !== undefined) parts.push(`Not measured: ${error}\n`);
  const when = `${report.at.slice(0, 16).replace('T', ' ')} UTC, ${report.cpu}, ${report.memoryGb} GB, Node ${report.node}`;
  const busy = `load average ${loadBefore.toFixed(1)} at its start`;
  parts.push(
    `_${when}; ${busy}; ${seconds} s${report.quick ? '; small sizes (--quick)' : report.full ? '; all rounds (--full)' : ''}._\n`,
  );
  return parts.join('\n');
}
