//! As much of SQL as a pooler must understand: what a text leaves behind in the session that ran it, and which texts
//! are the same but for their values.

mod marks;
mod verdict;

pub use marks::Marks;
pub use verdict::{Statement, Transaction, Verdict};

/// As many statements of one text are listed in a verdict; what has more is [`Marks::OPAQUE`].
pub const MAX_STATEMENTS: usize = 1_000;
