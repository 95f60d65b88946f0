//! The lens: what it tells, and how it is seen.

mod seen;
mod terminal;
