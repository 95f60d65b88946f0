//! The mathematics of capacity: at what load does a resource run out, and how sure is that?
//!
//! Pure functions over slices of `f64`: no clock, no sockets, no files, nothing global. Time, seeds and settings
//! are arguments. Input that is not finite or makes no sense is refused with a typed reason, and a figure that
//! the data do not carry is never made up: the answers have a "cannot tell" with its reason.
//!
//! - [`least_squares`]: non-negative linear fits, the ground the others stand on;
//! - [`demand`]: service demand per class of request, and the load at which one resource is full;
//! - [`queueing`]: waits at a station of several servers, and the load at which a wait passes its target;
//! - [`usl`]: the Universal Scalability Law, as a second opinion;
//! - [`trend`]: memory that grows with time (a leak);
//! - [`hysteresis`]: levels that do not flap.

pub mod demand;
pub mod hysteresis;
pub mod least_squares;
pub mod queueing;
pub mod trend;
pub mod usl;

mod cholesky;
mod numbers;
mod random;
mod student;

#[cfg(test)]
mod arbitrary;
#[cfg(test)]
mod testing;
