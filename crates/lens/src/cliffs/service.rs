//! How the service does, whatever any cliff says: answers that are late, errors, or none are no good news, though nobody can
//! tell what is at its end. It is said where they come from, as far as that is seen from here.

mod failing;
mod late;
mod silent;
#[cfg(test)]
mod tests;

use crate::picture::Picture;

/// What is wrong with the answers now, as a clause.
pub(super) fn trouble(picture: &Picture<'_>) -> Option<String> {
    silent::silent(picture).or_else(|| failing::failing(picture)).or_else(|| late::late(picture))
}

/// The same, where there is nothing to think of before it is mended: hardly any answers, or errors.
pub(crate) fn broken(picture: &Picture<'_>) -> Option<String> {
    silent::silent(picture).or_else(|| failing::failing(picture))
}

/// A time as a person would say it.
fn time(seconds: f64) -> String {
    match seconds {
        s if s >= 9.95 => format!("{s:.0} s"),
        s if s >= 0.9995 => format!("{s:.1} s"),
        s => format!("{:.0} ms", s * 1e3),
    }
}
