//! The lens's way out: metrics for whoever scrapes them or has them sent, the files for Grafana and Prometheus that know
//! these metrics, and the webhook that tells when a cliff comes nearer.

pub(crate) mod cliffs;
pub mod grafana;
pub mod otlp;
mod post;
pub(crate) mod scrape;
#[cfg(test)]
mod testing;
pub mod webhook;
