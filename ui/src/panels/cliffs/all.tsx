import * as format from "../../format";
import { type Cliff, kindOf, type Load } from "../../lens";
import { Said } from "../../parts/said";
import { State } from "../../parts/state";
import { type Column, Table } from "../../parts/table";

/** Every cliff that is looked for, the nearest first. */
export function All({ cliffs, load }: { cliffs: Cliff[]; load: Load | undefined }) {
  const columns: Column<Cliff>[] = [
    { title: "Level", cell: ({ level = "unknown" }) => <State state={level} /> },
    { title: "Resource", names: true, cell: (cliff) => <Name cliff={cliff} /> },
    { title: "In use", numeric: true, cell: (cliff) => <Used cliff={cliff} /> },
    { title: "Reached at", about: "The load at which it is reached, and its range", numeric: true, cell: (cliff) => <Reached cliff={cliff} load={load} /> },
    { title: "In words", cell: ({ text }) => <Said text={text} /> },
  ];
  return (
    <details class="all">
      <summary>All cliffs: {tally(cliffs)}</summary>
      <Table
        label="All cliffs, the nearest first"
        columns={columns}
        groups={[{ key: "all", rows: cliffs }]}
        rowKey={({ id }) => id}
        empty="None is looked for yet."
      />
    </details>
  );
}

/** `1 near, 3 clear, 2 unknown` */
function tally(cliffs: Cliff[]): string {
  const parts = (["over", "near", "watch", "clear", "unknown"] as const).flatMap((level) => {
    const many = cliffs.filter((cliff) => (cliff.level ?? "unknown") === level).length;
    return many ? [`${many} ${level}`] : [];
  });
  return parts.join(", ") || "none yet";
}

function Name({ cliff }: { cliff: Cliff }) {
  const { resource } = cliff;
  return (
    <>
      {kindOf(cliff)}
      {resource && <code class="detail">{resource}</code>}
    </>
  );
}

function Used({ cliff: { used, limit, unit } }: { cliff: Cliff }) {
  const show = (value: number) => format.amount(value, unit);
  return (
    <>
      {format.or(used, show)}
      {typeof limit === "number" && <span class="detail">of {show(limit)}</span>}
    </>
  );
}

function Reached({ cliff: { at, within }, load }: { cliff: Cliff; load: Load | undefined }) {
  if (within) {
    return (
      <>
        in {format.duration(within.value)}
        <span class="detail">
          {format.duration(within.low)} – {format.duration(within.high)}
        </span>
      </>
    );
  }
  if (!at) return <>{format.NOTHING}</>;
  const show = (value: number) => format.amount(value, load?.unit ?? "requests per second");
  return (
    <>
      {show(at.load)}
      <span class="detail">
        {show(at.low)} – {show(at.high)}
      </span>
    </>
  );
}
