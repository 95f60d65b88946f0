//! Deepwater upstream.
