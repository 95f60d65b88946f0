//! Rows for the client.

use deepwater_pgwire::message::backend::write::{self, Column};

/// A value in a row.
pub(super) type Cell = Option<String>;

/// A result.
#[derive(Debug)]
pub(super) struct Table {
    pub columns: Vec<Column<'static>>,
    pub rows: Vec<Vec<Cell>>,
}

impl Table {
    /// One without rows.
    pub(super) fn new(columns: impl IntoIterator<Item = Column<'static>>) -> Self {
        Self { columns: columns.into_iter().collect(), rows: Vec::new() }
    }

    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        let cells: Vec<Cell> = cells.into_iter().collect();
        debug_assert_eq!(cells.len(), self.columns.len());
        self.rows.push(cells);
    }

    /// Appends columns and rows as messages.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        write::row_description(out, &self.columns);
        for row in &self.rows {
            let values: Vec<_> = row.iter().map(|cell| cell.as_deref().map(str::as_bytes)).collect();
            write::data_row(out, &values);
        }
    }
}

/// A value that is there.
pub(super) fn some(value: impl ToString) -> Cell {
    Some(value.to_string())
}
