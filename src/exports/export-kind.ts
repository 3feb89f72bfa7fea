import type { ProcessKind } from '../kernel/kind.js';
import { ExportProcess, type ExportAnswer, type ExportMessage, type ExportState } from './export-process.js';
import type { ExportParts } from './parts.js';
import { EXPORT_KIND } from './record.js';

export function exportKind(parts: ExportParts): ProcessKind<object, ExportMessage, ExportAnswer, ExportState> {
  return { kind: EXPORT_KIND, start: (_args, context) => new ExportProcess(parts, context) };
}
