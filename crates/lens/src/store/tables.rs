//! What is known of the largest tables besides figures that have a course: what partitioning one would go by.

/// Scans that go by no index, in place of a column's name. Names are in parentheses for what is no column.
pub(crate) const SEQUENTIAL: &str = "(sequential)";
/// Scans of indexes that begin with an expression.
pub(crate) const EXPRESSION: &str = "(expression)";
/// Scans by columns that are not told apart.
pub(crate) const OTHER: &str = "(other)";

/// A large table that is not partitioned yet.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Table {
    /// `public.orders`, as labels have it.
    pub(crate) name: String,
    /// The same as SQL wants it, and a name that its successor may have.
    pub(crate) sql: String,
    pub(crate) successor: String,
    /// Bytes with its indexes.
    pub(crate) bytes: f64,
    /// Rows as the last VACUUM or ANALYZE counted them; negative when none did.
    pub(crate) rows: f64,
    /// Those by which it is scanned and that are told apart.
    pub(crate) columns: Vec<Column>,
}

/// A column that an index begins with.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Column {
    pub(crate) name: String,
    /// The same as SQL wants it.
    pub(crate) sql: String,
    /// Whether it is a date, or a date and a time.
    pub(crate) dated: bool,
    /// Names of unique indexes that do not have it, some of them if they are many. Partitions need it in all.
    pub(crate) lacking: Option<String>,
    /// Different values; none when ANALYZE has not counted them.
    pub(crate) values: Option<f64>,
    /// Seconds from the earliest to the latest, of a date.
    pub(crate) span: Option<f64>,
}
