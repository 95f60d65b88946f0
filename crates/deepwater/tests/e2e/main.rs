//! The whole of Deepwater, driven from outside: the real binary, real sockets, real clients and origins.

mod balancing;
mod files;
mod hostile;
mod http1;
mod http2;
mod hygiene;
mod origins;
mod routing;
mod support;
mod tcp;
mod tls;
