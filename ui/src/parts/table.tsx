import type { ComponentChildren } from "preact";

/** A column: its heading and what a row shows in it. */
export interface Column<Row> {
  title: string;
  /** What exactly is shown, when the title is not enough. */
  about?: string;
  numeric?: true;
  /** The column that names the row; one per table. */
  names?: true;
  cell: (row: Row) => ComponentChildren;
}

/** Rows under a common heading. */
export interface Group<Row> {
  key: string;
  heading?: ComponentChildren;
  rows: Row[];
}

/**
 * A table that becomes a list of cards on a narrow screen. The roles are spelt out because `display: grid`
 * would take them from screen readers there.
 */
export function Table<Row>(props: {
  label: string;
  columns: Column<Row>[];
  groups: Group<Row>[];
  rowKey: (row: Row, position: number) => string;
  empty: ComponentChildren;
}) {
  const { label, columns, groups, rowKey, empty } = props;
  if (groups.every(({ heading, rows }) => !heading && rows.length === 0)) return <p class="empty">{empty}</p>;
  return (
    <table role="table" aria-label={label}>
      <thead role="rowgroup">
        <tr role="row">
          {columns.map(({ title, about, numeric }) => (
            <th key={title} role="columnheader" scope="col" class={numeric ? "numeric" : ""} title={about}>
              {title}
            </th>
          ))}
        </tr>
      </thead>
      {groups.map(({ key, heading, rows }) => (
        <tbody key={key} role="rowgroup">
          {heading && (
            <tr role="row" class="heading">
              <th role="rowheader" scope="rowgroup" colSpan={columns.length}>
                {heading}
              </th>
            </tr>
          )}
          {rows.map((row, position) => (
            <tr key={rowKey(row, position)} role="row" data-row={rowKey(row, position)}>
              {columns.map((column) => (
                <Cell key={column.title} column={column} row={row} />
              ))}
            </tr>
          ))}
        </tbody>
      ))}
    </table>
  );
}

function Cell<Row>({ column, row }: { column: Column<Row>; row: Row }) {
  const { title, numeric, names, cell } = column;
  return names ? (
    <th role="rowheader" scope="row" data-title={title}>
      {cell(row)}
    </th>
  ) : (
    <td role="cell" class={numeric ? "numeric" : ""} data-title={title}>
      {cell(row)}
    </td>
  );
}
