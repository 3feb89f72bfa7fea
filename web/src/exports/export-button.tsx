/** On a panel: asks for a file of what the panel shows. */
import { useEffect, useId, useRef, useState, type KeyboardEvent } from 'react';
import type { ExportFormat, Params } from '../../../client/index.js';
import { Download } from '../components/icons.js';
import type { TopicInfo } from '../topics.js';
import { useExportWatch } from './use-export.js';

export const FORMATS: readonly { readonly format: ExportFormat; readonly label: string; readonly note: string }[] = [
  { format: 'xlsx', label: 'Excel', note: 'all rows' },
  { format: 'csv', label: 'CSV', note: 'all rows' },
  { format: 'pdf', label: 'PDF', note: 'report' },
];

interface ExportButtonProps {
  readonly topic: TopicInfo;
  readonly params: Params;
}

export function ExportButton({ topic, params }: ExportButtonProps) {
  const watch = useExportWatch();
  const [open, setOpen] = useState(false);
  const place = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const menu = useId();

  useEffect(() => {
    if (!open) return;
    place.current?.querySelector<HTMLButtonElement>('[role=menuitem]')?.focus();
    const leave = (event: Event): void => {
      if (!place.current?.contains(event.target as Node)) setOpen(false);
    };
    addEventListener('pointerdown', leave);
    addEventListener('focusin', leave);
    return () => {
      removeEventListener('pointerdown', leave);
      removeEventListener('focusin', leave);
    };
  }, [open]);

  const close = (): void => {
    setOpen(false);
    button.current?.focus();
  };
  const choose = (format: ExportFormat): void => {
    close();
    void watch.request({ topic: topic.name, params, format });
  };
  const keys = (event: KeyboardEvent): void => {
    if (event.key === 'Escape') return close();
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const items = [...(place.current?.querySelectorAll<HTMLButtonElement>('[role=menuitem]') ?? [])];
    const at = items.findIndex((item) => item === document.activeElement);
    items[(at + step + items.length) % items.length]?.focus();
  };
  return (
    <div className="export" ref={place} onKeyDown={open ? keys : undefined}>
      <button
        ref={button}
        type="button"
        className="export-button"
        aria-label={`Export ${topic.title}`}
        title="Export"
        aria-haspopup="menu"
        aria-expanded={open}
        aria-controls={open ? menu : undefined}
        onClick={() => setOpen(!open)}
      >
        <Download />
      </button>
      {open && (
        <div className="export-menu" id={menu} role="menu" aria-label={`Export ${topic.title} as`}>
          {FORMATS.map(({ format, label, note }) => (
            <button key={format} type="button" role="menuitem" tabIndex={-1} onClick={() => choose(format)}>
              <span>{label}</span>
              <span className="export-note">{note}</span>
            </button>
          ))}
        </div>
      )}
    </div>
  );
}
