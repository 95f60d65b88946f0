import * as format from "../../format";
import type { Applied as Followed } from "../../lens";
import { Said } from "../../parts/said";
import { type Column, Table } from "../../parts/table";

/** Advice that was followed: what it was to bring, and what it brought. */
export function Applied({ applied }: { applied: Followed[] }) {
  if (applied.length === 0) return null;
  const figure = (title: string, about: string, read: (row: Followed) => number | null | undefined): Column<Followed> => ({
    title,
    about,
    numeric: true,
    cell: (row) => format.or(read(row), (value) => format.amount(value, unitOf(row))),
  });
  const columns: Column<Followed>[] = [
    { title: "Followed", names: true, cell: ({ title }) => <Said text={title} /> },
    { title: "Since", cell: ({ at }) => at && <time dateTime={at} title={at}>{format.timeOfDay(new Date(at))}</time> },
    figure("Before", "The figure when the advice was given", ({ before }) => before),
    figure("Predicted", "The figure that was predicted", ({ predicted }) => predicted),
    { ...figure("Measured", "The figure since", ({ measured }) => measured), cell: (row) => <Measured row={row} /> },
    { title: "Of", cell: ({ unit }) => unit },
  ];
  return (
    <>
      <h3>Predicted and measured</h3>
      <Table
        label="Advice that was followed"
        columns={columns}
        groups={[{ key: "all", rows: applied }]}
        rowKey={({ id, at }) => `${id} ${at}`}
        empty=""
      />
    </>
  );
}

/** Units say more than a unit: `seconds for 95 % of requests`. */
const unitOf = ({ unit }: Followed): string => (/^(seconds|bytes)\b/.exec(unit ?? "") ?? [""])[0];

function Measured({ row }: { row: Followed }) {
  if (typeof row.measured !== "number") return <span class="quiet">measuring …</span>;
  return <strong>{format.amount(row.measured, unitOf(row))}</strong>;
}
