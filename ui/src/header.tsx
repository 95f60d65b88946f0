import * as format from "./format";
import type { Live } from "./live";

/** What runs here, since when, in which state, and where it listens. */
export function Header({ live }: { live: Live }) {
  const { version, commit, uptime_seconds, phase, edge } = live.status;
  return (
    <header>
      <h1>
        <svg viewBox="0 0 28 20" aria-hidden="true">
          <path d="M2 5q4-5 8 0t8 0 8 0M2 11q4-5 8 0t8 0 8 0M2 17q4-5 8 0t8 0 8 0" />
        </svg>
        Deepwater
      </h1>
      <dl>
        {phase && (
          <div>
            <dt class="unseen">Phase</dt>
            <dd class={`pill phase-${phase}`}>{phase}</dd>
          </div>
        )}
        {uptime_seconds !== undefined && (
          <div>
            <dt>up</dt>
            <dd>{format.duration(uptime_seconds)}</dd>
          </div>
        )}
        {version && (
          <div>
            <dt>version</dt>
            <dd>
              {version} {commit && <code class="quiet">{commit}</code>}
            </dd>
          </div>
        )}
        {!!edge?.listeners?.length && (
          <div>
            <dt>listens on</dt>
            <dd>
              {edge.listeners.map(({ address, protocol, tls }) => (
                <span key={address} class="listener">
                  <code>{address}</code> {tls ? `${protocol} over TLS` : protocol}
                </span>
              ))}
            </dd>
          </div>
        )}
      </dl>
      <nav aria-label="Machine-readable">
        <a href="/api/?pretty">API</a>
        <a href="/metrics">Metrics</a>
      </nav>
    </header>
  );
}
