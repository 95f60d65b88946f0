//! What the log is told of cliffs, and of the answers.

use deepwater_core::Events;

use crate::cliffs::{Change, Kind, Level};

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

deepwater_core::event! {
    /// Hardly anything is answered, or with errors.
    pub struct ServiceFailing { application: String, text: String }
    service_failing: Error, "{text}"
}

deepwater_core::event! {
    /// Answers are late.
    pub struct ServiceLate { application: String, text: String }
    service_late: Warn, "{text}"
}

deepwater_core::event! {
    /// Answers are as usual again.
    pub struct ServiceRecovered { application: String, text: String }
    service_recovered: Info, "{text}"
}

/// Tells of a change that somebody would want to know.
pub(super) fn tell(events: &Events, change: &Change) {
    match change.cliff.kind {
        Kind::Service => tell_of_service(events, change),
        _ => tell_of_cliff(events, change),
    }
}

fn tell_of_service(events: &Events, change: &Change) {
    let (application, text) = (change.cliff.resource.clone(), change.cliff.text.clone());
    match (change.was, change.cliff.level) {
        (_, Level::Over) => events.emit(ServiceFailing { application, text }),
        (_, Level::Near) => events.emit(ServiceLate { application, text }),
        (Level::Near | Level::Over, _) => events.emit(ServiceRecovered { application, text }),
        _ => {}
    }
}

fn tell_of_cliff(events: &Events, change: &Change) {
    let (cliff, text) = (change.cliff.id.clone(), change.cliff.text.clone());
    match (change.was, change.cliff.level) {
        (_, Level::Over) => events.emit(CliffReached { cliff, text }),
        (was, Level::Near) if was < Level::Near => events.emit(CliffNear { cliff, text }),
        (Level::Near | Level::Over, now) if now < Level::Near => events.emit(CliffPassed { cliff, text }),
        _ => {}
    }
}
