//! Requests and their repeats, through to the store.
