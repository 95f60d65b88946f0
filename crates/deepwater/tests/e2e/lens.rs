//! The lens: what it tells, and how it is seen.

mod cliffs;
mod seen;
mod terminal;
