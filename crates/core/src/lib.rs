//! Deepwater core.
