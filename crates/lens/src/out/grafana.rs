//! A Grafana dashboard and Prometheus alert rules, written from one table: [`table`] says what is shown and what wakes
//! somebody, by metrics and events that the binary has. `docs/grafana/` holds what is written here.

mod alerts;
mod dashboard;
mod expression;
mod table;
#[cfg(test)]
mod tests;

pub use alerts::alerts;
pub use dashboard::dashboard;
