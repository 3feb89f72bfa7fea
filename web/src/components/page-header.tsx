import { useEffect, useRef, useState } from 'react';
import { useConnection } from '../../../client/react.js';
import { formatAge } from '../format.js';
import { useHealth, type Health } from '../hooks/health.js';
import { useNow } from '../hooks/page-life.js';
import { chooseTheme, useTheme } from '../hooks/theme.js';
import { Mark, Moon, Sun } from './icons.js';
import { PageLinks } from './page-links.js';
import { ReleaseBar } from './release-bar.js';

export function PageHeader({ children }: { readonly children?: React.ReactNode }) {
  return (
    <header className="page-head">
      <ReleaseBar />
      <a className="brand" href="/">
        <Mark />
        <span>Pollcast</span>
      </a>
      <PageLinks />
      {children}
      <div className="page-state">
        <PageState />
        <ThemeSwitch />
      </div>
    </header>
  );
}

interface Summary {
  readonly state: 'connecting' | 'live' | 'stale' | 'failed' | 'offline';
  readonly label: string;
  readonly detail: string;
}

function summarise(connection: string, health: Health): Summary {
  if (connection === 'connecting')
    return { state: 'connecting', label: 'Connecting', detail: 'Connecting to the hub.' };
  if (connection === 'offline') {
    return {
      state: 'offline',
      label: 'Offline, reconnecting',
      detail: 'The connection to the hub is lost; it is tried again by itself.',
    };
  }
  const { failed, stale, panels, loading } = health;
  if (failed.length > 0)
    return { state: 'failed', label: `${failed.length} of ${panels} failed`, detail: `Failed: ${failed.join(', ')}.` };
  if (stale.length > 0)
    return { state: 'stale', label: `${stale.length} of ${panels} stale`, detail: `Stale: ${stale.join(', ')}.` };
  if (panels > 0 && loading === panels) return { state: 'connecting', label: 'Loading', detail: 'Loading.' };
  return { state: 'live', label: 'Live', detail: 'Everything is live.' };
}

/** The worst that holds anywhere on the page. Announced when it turns into something else, not while it lasts. */
function PageState() {
  const connection = useConnection();
  const summary = summarise(connection.state, useHealth());
  const announced = useSettled(summary.detail);
  return (
    <>
      <p className="state" data-state={summary.state} title={summary.detail}>
        <span className="state-dot" aria-hidden="true" />
        <span>{summary.label}</span>
        {summary.state === 'offline' && <Since at={connection.since} />}
      </p>
      <p className="unseen" role="status" aria-live="polite">
        {announced}
      </p>
    </>
  );
}

function Since({ at }: { readonly at: number }) {
  const age = formatAge(useNow() - at);
  return <span className="age">{age === 'now' ? '' : age}</span>;
}

const SETTLE_MS = 1200;

/** The text once it has lasted: panels that fail one after the other are told once. */
function useSettled(text: string): string {
  const [settled, setSettled] = useState('');
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => {
    timer.current = setTimeout(() => setSettled(text), SETTLE_MS);
    return () => clearTimeout(timer.current);
  }, [text]);
  return settled;
}

function ThemeSwitch() {
  const theme = useTheme();
  const other = theme === 'dark' ? 'light' : 'dark';
  return (
    <button
      type="button"
      className="theme-switch"
      onClick={() => chooseTheme(other)}
      aria-label={`Use the ${other} theme`}
    >
      {theme === 'dark' ? <Sun /> : <Moon />}
    </button>
  );
}
