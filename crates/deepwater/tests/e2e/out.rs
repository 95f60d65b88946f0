//! The way out: what scrapers and collectors are told, read by their own programs.

mod otlp;
mod program;
mod rules;
mod scrape;
mod webhook;
