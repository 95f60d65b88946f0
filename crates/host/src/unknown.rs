//! What could not be read, and why.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why something is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The kernel has no such file: the feature is off, absent, or of another version.
    Missing,
    /// The file is there, but not for this user.
    NotPermitted,
    /// The file's text is not what is expected.
    Malformed,
    /// There is more of it than is looked at.
    TooMany,
    /// Reading failed otherwise.
    Failed(io::ErrorKind),
}

impl From<&io::Error> for Why {
    fn from(error: &io::Error) -> Self {
        match error.kind() {
            // A task that is gone and a file system that is absent are both "not there".
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::Unsupported => {
                Self::Missing
            }
            io::ErrorKind::PermissionDenied => Self::NotPermitted,
            kind => Self::Failed(kind),
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("is not there"),
            Self::NotPermitted => f.write_str("is not readable: run as the same user or root"),
            Self::Malformed => f.write_str("says something that is not understood"),
            Self::TooMany => f.write_str("holds more than is looked at"),
            Self::Failed(kind) => write!(f, "cannot be read: {kind}"),
        }
    }
}

/// Something that is not known. Its text is a sentence: "cpu pressure: /proc/pressure/cpu is not there (…)".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    /// What is not known.
    pub what: &'static str,
    /// The file that would tell.
    pub file: PathBuf,
    /// Why it does not.
    pub why: Why,
    /// What could be done about it, or what it means; may be empty.
    pub hint: &'static str,
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} {}", self.what, self.file.display(), self.why)?;
        if self.hint.is_empty() { Ok(()) } else { write!(f, " ({})", self.hint) }
    }
}

/// The things a source does not know at present. Each has a name from the code, so the list is bounded.
#[derive(Debug, Default)]
pub(crate) struct Unknowns {
    list: Vec<Unknown>,
}

impl Unknowns {
    /// Notes that it is not known; allocates only when that is news. Of several files that tell the same (the
    /// levels of a control group), the first that fails stands for them.
    pub(crate) fn note(&mut self, what: &'static str, file: &Path, hint: &'static str, why: Why) {
        match self.list.iter_mut().find(|known| known.what == what) {
            Some(known) if known.file == file => known.why = why,
            Some(_) => {}
            None => self.list.push(Unknown { what, file: file.to_owned(), why, hint }),
        }
    }

    /// Notes that this file tells it.
    pub(crate) fn clear(&mut self, what: &str, file: &Path) {
        self.list.retain(|known| known.what != what || known.file != file);
    }

    /// Forgets everything but one: the files are no longer read.
    pub(crate) fn keep_only(&mut self, what: &str) {
        self.list.retain(|known| known.what == what);
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Unknown> {
        self.list.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_remembered_once_and_forgotten_when_it_is_gone() {
        let mut unknowns = Unknowns::default();
        let file = Path::new("/proc/pressure/cpu");
        for _ in 0..3 {
            unknowns.note("cpu pressure", file, "boot with psi=1", Why::Missing);
        }
        let texts: Vec<_> = unknowns.iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["cpu pressure: /proc/pressure/cpu is not there (boot with psi=1)"]);
        unknowns.note("cpu pressure", file, "", Why::Malformed);
        unknowns.note("cpu pressure", Path::new("/other"), "", Why::Missing);
        unknowns.clear("cpu pressure", Path::new("/other"));
        assert_eq!(unknowns.iter().map(|unknown| unknown.why).collect::<Vec<_>>(), [Why::Malformed]);
        unknowns.clear("cpu pressure", file);
        assert_eq!(unknowns.iter().count(), 0);
    }

    #[test]
    fn errors_are_told_apart() {
        let why = |kind| Why::from(&io::Error::from(kind));
        assert_eq!(why(io::ErrorKind::NotFound), Why::Missing);
        assert_eq!(why(io::ErrorKind::PermissionDenied), Why::NotPermitted);
        assert_eq!(why(io::ErrorKind::IsADirectory), Why::Failed(io::ErrorKind::IsADirectory));
        assert!(Why::NotPermitted.to_string().contains("run as the same user or root"));
    }
}
