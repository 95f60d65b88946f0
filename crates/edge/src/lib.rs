//! Deepwater edge.
