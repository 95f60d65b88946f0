import { useState } from "preact/hooks";
import { EVENTS, type Happening, type Happenings } from "../api";
import { timeOfDay } from "../format";
import type { Live } from "../live";
import { type Column, Table } from "../parts/table";
import type { Panel } from ".";

/** Levels by how much they matter. */
const LEVELS = ["debug", "info", "warn", "error"];

export const events: Panel = { id: "events", title: "Events", width: "wide", sources: [EVENTS], View };

const COLUMNS: Column<Happening>[] = [
  {
    title: "Time",
    cell: ({ at }) => at && <time dateTime={at} title={at}>{timeOfDay(new Date(at))}</time>,
  },
  { title: "Level", cell: ({ level }) => <span class={`level level-${level}`}>{level}</span> },
  { title: "What happened", names: true, cell: ({ message, event }) => <span title={event}>{message}</span> },
];

function View({ live }: { live: Live }) {
  const [least, setLeast] = useState("info");
  const all = live.latest<Happenings>(EVENTS)?.events ?? [];
  const shown = all.filter(({ level }) => LEVELS.indexOf(level ?? "info") >= LEVELS.indexOf(least));
  return (
    <>
      <label class="filter">
        Show{" "}
        <select value={least} onChange={(event) => setLeast(event.currentTarget.value)}>
          <option value="debug">everything</option>
          <option value="info">info and worse</option>
          <option value="warn">warnings and errors</option>
          <option value="error">errors</option>
        </select>
      </label>
      {/* Focusable, so that the keyboard can scroll it. */}
      <div class="scroll" tabIndex={0} role="region" aria-label="Recent events">
        <Table
          label="Recent events, newest first"
          columns={COLUMNS}
          groups={[{ key: "all", rows: shown }]}
          rowKey={(row, position) => `${position} ${row.at} ${row.event}`}
          empty={all.length > 0 ? "Nothing of this level among the recent events." : "Nothing has happened yet."}
        />
      </div>
    </>
  );
}
