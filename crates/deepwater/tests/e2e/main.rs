//! The whole of Deepwater, driven from outside: the real binary, real sockets, real clients and origins.

mod hostile;
mod http1;
mod origins;
mod support;
