//! Deadlines that leave no time.

use std::time::Duration;

use deepwater_core::config::Place;

/// Whether all deadlines leave some time; each that does not is reported. Elsewhere 0 means that there is none: here it
/// would fail what it is for, or nearly all of it, depending on which is faster.
pub(super) fn leave_time(place: &Place<'_>, deadlines: &[(&str, Duration)]) -> bool {
    let none = deadlines.iter().filter(|(_, deadline)| deadline.is_zero());
    let reported = none.map(|(key, _)| {
        place.at(key).problem_with_fix(
            "a deadline of no time is always missed",
            "write how long it may take; one that is far off, such as \"1d\", is as good as none",
        );
    });
    reported.count() == 0
}
