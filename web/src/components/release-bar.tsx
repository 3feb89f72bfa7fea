import { useRelease } from '../../../client/react.js';

/** Says that there is a newer page, and leaves it to the reader when to take it: nothing is reloaded under anyone's hands. */
export function ReleaseBar() {
  const release = useRelease();
  return (
    <div className="release" role="status" aria-live="polite">
      {release !== undefined && release.version !== __POLLCAST_VERSION__ && (
        <p>
          <span>
            A new version is here<span className="release-version"> ({release.version})</span>.
          </span>
          <button type="button" onClick={() => location.reload()}>
            Refresh
          </button>
        </p>
      )}
    </div>
  );
}
