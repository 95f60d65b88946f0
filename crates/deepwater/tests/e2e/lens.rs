//! The lens: what it tells, and how it is seen.

mod advice;
mod clients;
mod cliffs;
mod scans;
mod seen;
mod terminal;
mod trouble;
