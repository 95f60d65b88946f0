//! How the service does, whatever any cliff says: answers that are late, errors, or none are no good news, though nobody can
//! tell what is at its end. It is said where they come from, as far as that is seen from here.

mod failing;
mod late;
mod silent;
#[cfg(test)]
mod tests;

use crate::picture::Picture;

/// What is wrong with the answers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Trouble {
    /// All of it as a clause.
    pub(crate) text: String,
    /// The application that it comes from, where it is one.
    pub(crate) application: Option<String>,
    /// Hardly any answers, or errors: there is nothing to think of before that is mended.
    pub(crate) broken: bool,
}

/// What is wrong with the answers now.
pub(crate) fn trouble(picture: &Picture<'_>) -> Option<Trouble> {
    broken(picture).or_else(|| late::late(picture))
}

/// The same, where they are broken.
pub(crate) fn broken(picture: &Picture<'_>) -> Option<Trouble> {
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
