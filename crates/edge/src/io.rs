//! Bytes in and out: the kinds of connection, the buffers they fill, the deadlines they keep.

pub mod buffer;
pub mod deadline;
pub mod transport;

pub(crate) use buffer::{Buffer, Slabs};
pub(crate) use deadline::{Deadline, Elapsed};
pub(crate) use transport::Transport;
