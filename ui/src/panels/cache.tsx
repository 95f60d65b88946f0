import { useState } from "preact/hooks";
import { CACHE, type Cache, type CacheRoute, command, type Purged, type Selector } from "../api";
import * as format from "../format";
import type { Live } from "../live";
import { Confirm } from "../parts/confirm";
import { type Column, Table } from "../parts/table";
import { READ_MS } from "../signals";
import type { Panel } from ".";

/** What can be purged by, how people call it, and how a name of it looks; `all` takes none. */
const SELECTORS: Record<Selector, { label: string; example?: string }> = {
  tag: { label: "tag", example: "product:42" },
  url: { label: "URL", example: "https://shop.example/products/42" },
  prefix: { label: "prefix", example: "shop.example/images/" },
  host: { label: "host", example: "shop.example" },
  version: { label: "version", example: "pricing" },
  all: { label: "everything" },
};
const KINDS = Object.keys(SELECTORS) as Selector[];

export const cache: Panel = { id: "cache", title: "Cache", width: "full", sources: [CACHE], edge: true, View };

function View({ live }: { live: Live }) {
  const cache = live.latest<Cache>(CACHE);
  if (cache?.enabled === false) {
    return (
      <p class="empty">
        No route caches. Add <code>cache = true</code> to an <code>[[edge.route]]</code>, and what may be reused is
        answered from memory.
      </p>
    );
  }
  return (
    <>
      <Figures live={live} cache={cache ?? {}} />
      <Table
        label="The cache by route"
        columns={COLUMNS}
        groups={[{ key: "all", rows: cache?.routes ?? [] }]}
        rowKey={({ name }) => name}
        empty="Nothing is known yet."
      />
      <div class="purging">
        <Purge versions={cache?.versions ?? {}} done={() => live.wake()} />
        <Counts cache={cache ?? {}} />
      </div>
    </>
  );
}

const share = (value: number | null | undefined) => format.or(value, (share) => format.percent(share * 100));
const answered = (route: CacheRoute) =>
  (route.hits ?? 0) + (route.stale ?? 0) + (route.coalesced ?? 0) + (route.revalidated ?? 0);
const requests = (route: CacheRoute) => answered(route) + (route.misses ?? 0) + (route.bypassed ?? 0);

/** The hit ratio of the last seconds; unknown while nobody asks for anything. */
function ratioNow(live: Live): number | undefined {
  const rate = (read: (route: CacheRoute) => number) =>
    live.feed(CACHE).rate<Cache>(({ routes }) => routes?.reduce((sum, route) => sum + read(route), 0), READ_MS);
  const all = rate(requests);
  return all ? (rate(answered) ?? 0) / all : undefined;
}

function Figures({ live, cache: { hit_ratio, memory, fetches_in_flight } }: { live: Live; cache: Cache }) {
  const now = ratioNow(live);
  return (
    <dl class="figures">
      <div title="Requests answered without a fetch of their own, since the start">
        <dt>Hit ratio</dt>
        <dd>{share(hit_ratio)}</dd>
        {now !== undefined && <dd class="detail">{share(now)} now</dd>}
      </div>
      <div>
        <dt>Memory</dt>
        <dd>{format.or(memory?.bytes, format.bytes)}</dd>
        <dd class="detail">of {format.or(memory?.capacity, format.bytes)}</dd>
      </div>
      <div>
        <dt>Objects</dt>
        <dd>{format.or(memory?.objects, format.count)}</dd>
      </div>
      <div>
        <dt>Fetches in flight</dt>
        <dd>{format.or(fetches_in_flight, format.count)}</dd>
      </div>
    </dl>
  );
}

const counted = (title: string, about: string, read: (route: CacheRoute) => number | undefined): Column<CacheRoute> => ({
  title,
  about,
  numeric: true,
  cell: (route) => format.or(read(route), format.count),
});

const COLUMNS: Column<CacheRoute>[] = [
  { title: "Route", names: true, cell: ({ name }) => <code>{name}</code> },
  { title: "Hit ratio", about: "Answered without a fetch of their own", numeric: true, cell: ({ hit_ratio }) => share(hit_ratio) },
  counted("Hits", "Fresh from the store", (route) => route.hits),
  counted("Stale", "Served stale, while revalidating or on an error", (route) => route.stale),
  counted("Coalesced", "Shared the fetch of another request", (route) => route.coalesced),
  counted("Revalidated", "From the store, after the origin said that nothing is newer", (route) => route.revalidated),
  counted("Misses", "Led a fetch", (route) => route.misses),
  counted("Bypassed", "Went past the cache", (route) => route.bypassed),
  counted("Refreshed early", "Fetched anew in the background before it was stale", (route) => route.refreshed_early),
  counted("Refreshed stale", "Fetched anew in the background when it was stale", (route) => route.refreshed_stale),
  { title: "Served", about: "Bytes from the cache", numeric: true, cell: ({ served_bytes }) => format.or(served_bytes, format.bytes) },
];

/** What was purged so far, and where the versions stand. */
function Counts({ cache: { purges = {}, versions = {} } }: { cache: Cache }) {
  const lists = {
    Purged: KINDS.filter((kind) => purges[kind]).map((kind) => `${format.count(purges[kind] ?? 0)} × ${SELECTORS[kind].label}`),
    Versions: Object.entries(versions).map(([name, version]) => `${name} ${version}`),
  };
  return (
    <dl class="counts">
      {Object.entries(lists).map(([title, list]) => (
        <div key={title}>
          <dt>{title}</dt>
          <dd>{list.join(" · ") || "none"}</dd>
        </div>
      ))}
    </dl>
  );
}

function Purge({ versions, done }: { versions: Record<string, number>; done: () => void }) {
  const [kind, setKind] = useState<Selector>("tag");
  const [name, setName] = useState("");
  const [wantsSoft, setSoft] = useState(false);
  const [said, say] = useState<{ failed: boolean; text: string }>();
  const [sure, ask] = useState(false);
  const [busy, setBusy] = useState(false);
  const { label, example } = SELECTORS[kind];
  // A version has no soft purge: what it leads to is not found any longer.
  const soft = wantsSoft && kind !== "version";

  const purge = async () => {
    const what = example === undefined ? true : name.trim();
    const answer = (await command(`${CACHE}/purge`, { [kind]: what, ...(soft && { soft }) })) as Purged;
    const number = answer.versions?.[name.trim()];
    const text = number === undefined ? `Purged ${label}${example ? ` ${what}` : ""}` : `Version ${what} is now ${number}`;
    say({ failed: false, text: text + (soft ? " softly." : ".") });
    setName("");
    done();
  };
  const submit = async (event: Event) => {
    event.preventDefault();
    say(undefined);
    if (kind === "all") return ask(true);
    setBusy(true);
    await purge().catch((failure: unknown) =>
      say({ failed: true, text: failure instanceof Error ? failure.message : String(failure) }),
    );
    setBusy(false);
  };
  return (
    <>
      <form class="purge" onSubmit={submit}>
        <label>
          Purge{" "}
          <select value={kind} onChange={(event) => setKind(event.currentTarget.value as Selector)}>
            {KINDS.map((kind) => (
              <option key={kind} value={kind}>
                {SELECTORS[kind].label}
              </option>
            ))}
          </select>
        </label>
        {example && (
          <input
            required
            aria-label={`Name of the ${label}`}
            placeholder={example}
            list={kind === "version" ? "versions" : undefined}
            value={name}
            onInput={(event) => setName(event.currentTarget.value)}
          />
        )}
        <datalist id="versions">
          {Object.keys(versions).map((version) => (
            <option key={version} value={version} />
          ))}
        </datalist>
        <label title="Make it stale: it may still be served while it is fetched anew, or on errors">
          <input
            type="checkbox"
            checked={soft}
            disabled={kind === "version"}
            onChange={(event) => setSoft(event.currentTarget.checked)}
          />{" "}
          soft
        </label>
        <button type="submit" disabled={busy}>
          Purge
        </button>
        <p role="status">{said && !said.failed && said.text}</p>
      </form>
      {said?.failed && (
        <p role="alert" class="failure">
          That did not work: {said.text}
        </p>
      )}
      {sure && (
        <Confirm title="Purge everything?" action="Purge everything" act={purge} close={() => ask(false)}>
          <p>
            {soft
              ? "Everything in the cache becomes stale: each object is fetched anew when it is asked for."
              : "The cache is emptied: until it has filled again, all requests go to your application."}
          </p>
        </Confirm>
      )}
    </>
  );
}
