//! Configuration: one document, typed, then valid.
