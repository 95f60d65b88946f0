//! The lens: what it tells, and how it is seen.

mod cliffs;
mod clients;
mod scans;
mod seen;
mod terminal;
