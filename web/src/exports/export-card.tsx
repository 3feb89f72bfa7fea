/** The reader's export at the foot of the page: how far it is, and the file when it is there. */
import { useId, type CSSProperties } from 'react';
import { isUnderWay, type Export, type ExportSnapshot, type ExportWatch } from '../../../client/index.js';
import { useConnection } from '../../../client/react.js';
import { Close } from '../components/icons.js';
import { formatNumber } from '../format.js';
import { FORMATS } from './export-button.js';
import { timeLeftMs, timeLeftText } from './time-left.js';
import { useExport, useExportWatch, usePace } from './use-export.js';
import { formatBytes, objectionText, paramsText, stateText } from './words.js';

export function ExportCard() {
  const watch = useExportWatch();
  const snapshot = useExport(watch);
  const { export: known, error } = snapshot;
  return (
    <>
      <p className="unseen" role="status">
        {known === null ? '' : `Export ${known.title}: ${stateText(known)}`}
      </p>
      {known !== null && <Card known={known} snapshot={snapshot} watch={watch} title={known.title} />}
      {known === null && error !== undefined && (
        <section className="export-card" aria-label="Export" data-state="error">
          <header>
            <h2>Not exported</h2>
            <CloseButton label="Close" act={() => watch.forget()} />
          </header>
          <p className="export-trouble" role="alert">
            {objectionText(error)}
          </p>
        </section>
      )}
    </>
  );
}

interface CardProps {
  readonly known: Export;
  readonly snapshot: ExportSnapshot;
  readonly watch: ExportWatch;
  readonly title: string;
}

function Card({ known, snapshot: { asking, error }, watch, title }: CardProps) {
  const heading = useId();
  const online = useConnection().state === 'online';
  const underWay = isUnderWay(known);
  const params = paramsText(known.params);
  return (
    <section
      className="export-card"
      aria-labelledby={heading}
      data-state={known.state}
      data-id={known.id}
      data-offline={!online}
    >
      <header>
        <h2 id={heading}>
          {title} <span className="export-format">{labelOf(known)}</span>
        </h2>
        {!underWay && (
          <CloseButton label="Dismiss the export" act={() => void watch.dismiss()} disabled={!online || asking} />
        )}
      </header>
      {params !== '' && <p className="export-params">{params}</p>}
      {underWay && <Bar progress={known.progress} />}
      <p className="export-facts">
        <span>{online || !underWay ? stateText(known) : 'Reconnecting; it goes on meanwhile'}</span>
        <Facts known={known} />
      </p>
      {known.error !== undefined && <p className="export-trouble">{known.error.message}</p>}
      {error !== undefined && (
        <p className="export-trouble" role="alert">
          {objectionText(error)}
        </p>
      )}
      <Actions known={known} watch={watch} disabled={!online || asking} />
    </section>
  );
}

function Bar({ progress }: { readonly progress: number }) {
  return (
    <div
      className="export-bar"
      role="progressbar"
      aria-label="Progress"
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.floor(progress * 100)}
      style={{ '--progress': progress } as CSSProperties}
    />
  );
}

function Facts({ known }: { readonly known: Export }) {
  const pace = usePace(known);
  const leftMs = pace && timeLeftMs(pace);
  return (
    <>
      {(known.rows > 0 || known.state === 'ready') && (
        <span className="export-rows">
          {formatNumber(known.rows)} {known.rows === 1 ? 'row' : 'rows'}
        </span>
      )}
      {known.bytes !== undefined && <span>{formatBytes(known.bytes)}</span>}
      {isUnderWay(known) && leftMs !== undefined && <span className="export-left">{timeLeftText(leftMs)}</span>}
    </>
  );
}

interface ActionsProps {
  readonly known: Export;
  readonly watch: ExportWatch;
  readonly disabled: boolean;
}

function Actions({ known, watch, disabled }: ActionsProps) {
  const { topic, params, format } = known;
  return (
    <p className="export-actions">
      {known.url !== undefined && (
        <a className="export-main" href={known.url} download>
          Download
        </a>
      )}
      {isUnderWay(known) && (
        <button type="button" disabled={disabled} onClick={() => void watch.cancel()}>
          Cancel
        </button>
      )}
      {(known.state === 'error' || known.state === 'cancelled') && (
        <button type="button" disabled={disabled} onClick={() => void watch.request({ topic, params, format })}>
          Try again
        </button>
      )}
    </p>
  );
}

interface CloseButtonProps {
  readonly label: string;
  readonly act: () => void;
  readonly disabled?: boolean;
}

function CloseButton({ label, act, disabled }: CloseButtonProps) {
  return (
    <button type="button" className="export-close" aria-label={label} title={label} disabled={disabled} onClick={act}>
      <Close />
    </button>
  );
}

function labelOf({ format }: Export): string {
  return FORMATS.find((one) => one.format === format)?.label ?? format;
}
