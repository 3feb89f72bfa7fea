import { useEffect, useState } from 'react';
import { PageHeader } from '../components/page-header.js';
import { groupsOf, type ApiDocument } from './document.js';
import { OperationItem } from './operation.js';

/** What the hub answers over HTTP, drawn from its own description. */
export function Reference() {
  const [document, problem] = useDocument();
  return (
    <>
      <a className="skip" href="#content">
        Skip to the routes
      </a>
      <PageHeader />
      <main className="page-main reference" id="content" tabIndex={-1} aria-busy={document === undefined && !problem}>
        <header className="reference-head">
          <h1>HTTP API</h1>
          {document !== undefined && (
            <p>
              {document.info.description} Version {document.info.version}; the same as OpenAPI 3.1 at{' '}
              <a href="/api" type="application/json">
                /api
              </a>{' '}
              for programs.
            </p>
          )}
          {problem && <p role="alert">The hub did not describe itself. Load the page again in a moment.</p>}
        </header>
        {document !== undefined &&
          groupsOf(document).map(({ name, operations }) => (
            <section key={name} className="operations" aria-labelledby={`group-${name}`}>
              <h2 id={`group-${name}`}>{name}</h2>
              {operations.map((operation) => (
                <OperationItem key={operation.id} operation={operation} />
              ))}
            </section>
          ))}
      </main>
    </>
  );
}

function useDocument(): readonly [ApiDocument | undefined, boolean] {
  const [document, setDocument] = useState<ApiDocument>();
  const [problem, setProblem] = useState(false);
  useEffect(() => {
    const left = new AbortController();
    fetch('/api', { headers: { Accept: 'application/json' }, signal: left.signal })
      .then((response) => (response.ok ? (response.json() as Promise<ApiDocument>) : Promise.reject(new Error())))
      .then(setDocument, () => left.signal.aborted || setProblem(true));
    return () => left.abort();
  }, []);
  return [document, problem];
}
