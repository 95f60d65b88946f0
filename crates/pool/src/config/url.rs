//! Where a server is, as a URL.
