//! Deepwater lens.
