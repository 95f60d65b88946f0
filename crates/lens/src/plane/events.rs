//! What the log is told of cliffs.

use deepwater_core::Events;

use crate::cliffs::{Change, Level};

deepwater_core::event! {
    /// A scalability cliff has come near.
    pub struct CliffNear { cliff: String, text: String }
    cliff_near: Warn, "{text}"
}

deepwater_core::event! {
    /// A scalability cliff was reached.
    pub struct CliffReached { cliff: String, text: String }
    cliff_reached: Error, "{text}"
}

deepwater_core::event! {
    /// A scalability cliff is not near any more.
    pub struct CliffPassed { cliff: String, text: String }
    cliff_passed: Info, "no longer near: {text}"
}

/// Tells of a change that somebody would want to know.
pub(super) fn tell(events: &Events, change: &Change) {
    let (cliff, text) = (change.cliff.id.clone(), change.cliff.text.clone());
    match (change.was, change.cliff.level) {
        (_, Level::Over) => events.emit(CliffReached { cliff, text }),
        (was, Level::Near) if was < Level::Near => events.emit(CliffNear { cliff, text }),
        (Level::Near | Level::Over, now) if now < Level::Near => events.emit(CliffPassed { cliff, text }),
        _ => {}
    }
}
