//! The lines of `pgbouncer.ini`: sections, `key = value`, comments, `%include`.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use deepwater_core::config::Problem;

use super::files::{Files, LIMIT_BYTES};
use crate::lines::Fault;
use crate::userlist::quoted;

/// Files that name files, so deep, as PgBouncer.
const INCLUDE_DEPTH: usize = 10;
/// Files in all.
const INCLUDE_FILES: usize = 1_000;

/// One file and what it includes.
#[derive(Debug, Clone, Default)]
pub(super) struct Ini {
    pub(super) settings: Vec<Entry>,
    pub(super) databases: Vec<Entry>,
    pub(super) users: Vec<Entry>,
    pub(super) peers: Vec<Entry>,
    /// Where `[pgbouncer]` starts anew: what stood before counts no more.
    pub(super) restarts: Vec<Spot>,
}

/// `key = value`.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) value: String,
    pub(super) spot: Spot,
}

/// A line of a file, counted from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spot {
    pub(super) file: Arc<str>,
    pub(super) line: usize,
}

impl Spot {
    pub(super) fn problem(&self, key: &str, fault: Fault) -> Problem {
        fault.at(Some(&self.file), Some(self.line), key)
    }
}

impl fmt::Debug for Entry {
    /// Without the value: it may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.spot.file, self.spot.line, self.key)
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Section {
    Settings,
    Databases,
    Users,
    Peers,
    /// One that does not exist: its keys are not worth a problem each.
    Unknown,
}

struct Reader<'r> {
    files: &'r dyn Files,
    directory: &'r Path,
    ini: Ini,
    section: Option<Section>,
    problems: Vec<Problem>,
    read_files: usize,
    read_bytes: u64,
    has_settings: bool,
}

/// Reads a file; names in it are relative to `directory`, that of the process, as PgBouncer takes them.
///
/// # Errors
/// Everything that is wrong.
pub(super) fn read(path: &Path, directory: &Path, files: &dyn Files) -> Result<Ini, Vec<Problem>> {
    let mut reader = Reader {
        files,
        directory,
        ini: Ini::default(),
        section: None,
        problems: Vec::new(),
        read_files: 0,
        read_bytes: 0,
        has_settings: false,
    };
    let name: Arc<str> = path.display().to_string().into();
    if let Err(fault) = reader.file(path, &name, 0) {
        reader.problems.push(fault.at(Some(&name), None, ""));
    } else if !reader.has_settings && reader.problems.is_empty() {
        let fault = Fault::new("the section [pgbouncer] is missing").fix("add a line [pgbouncer]");
        reader.problems.push(fault.at(Some(&name), None, ""));
    }
    if reader.problems.is_empty() { Ok(reader.ini) } else { Err(reader.problems) }
}

impl Reader<'_> {
    fn file(&mut self, path: &Path, name: &Arc<str>, depth: usize) -> Result<(), Fault> {
        self.read_files += 1;
        if depth > INCLUDE_DEPTH || self.read_files > INCLUDE_FILES {
            return Err(Fault::new(format!(
                "files are included more than {INCLUDE_DEPTH} deep, or more than {INCLUDE_FILES} of them"
            ))
            .fix("look for a file that includes itself"));
        }
        let fix = "give its path; a relative one starts at the directory the command is given in";
        let bytes = self
            .files
            .read(&self.directory.join(path))
            .map_err(|error| Fault::new(format!("cannot read {}: {error}", path.display())).fix(fix))?;
        self.read_bytes += bytes.len() as u64;
        if self.read_bytes > LIMIT_BYTES {
            return Err(Fault::new("the included files are larger than 16 MiB").fix("include less"));
        }
        for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
            let spot = Spot { file: Arc::clone(name), line: index + 1 };
            let result =
                match std::str::from_utf8(line) {
                    Ok(line) if !line.contains('\0') => self.line(trim(line), &spot, depth),
                    _ => Err(Fault::new("the line is not UTF-8 text without zero bytes")
                        .fix("save the file as UTF-8")),
                };
            if let Err(fault) = result {
                self.problems.push(spot.problem("", fault));
            }
        }
        Ok(())
    }

    fn line(&mut self, mut line: &str, spot: &Spot, depth: usize) -> Result<(), Fault> {
        // PgBouncer goes on behind the bracket: `[databases] shop =` is two lines in one.
        while let Some(rest) = line.strip_prefix('[') {
            let (name, rest) = rest.split_once(']').ok_or_else(|| {
                Fault::new("the name of a section is not closed").fix("write it as [databases]")
            })?;
            self.start(name, spot)?;
            line = trim(rest);
        }
        if line.is_empty() || line.starts_with(['#', ';']) {
            return Ok(());
        }
        if let Some(path) = line.strip_prefix("%include").filter(|rest| rest.starts_with([' ', '\t'])) {
            let path = Path::new(trim(path));
            return self.file(path, &path.display().to_string().into(), depth + 1);
        }
        let (key, rest) = key(line)?;
        let value = rest.trim_start_matches([' ', '\t']).strip_prefix('=').ok_or_else(|| {
            Fault::new("the line is neither `key = value` nor a section nor a comment")
                .fix("put names with other characters than letters, digits, `_`, `.`, `-` and `*` in double quotes")
        })?;
        let entry = Entry { key, value: trim(value).to_owned(), spot: spot.clone() };
        match self.section {
            Some(Section::Settings) => self.ini.settings.push(entry),
            Some(Section::Databases) => self.ini.databases.push(entry),
            Some(Section::Users) => self.ini.users.push(entry),
            Some(Section::Peers) => self.ini.peers.push(entry),
            Some(Section::Unknown) => {}
            None => {
                return Err(Fault::new(format!("`{}` stands before the first section", entry.key))
                    .fix("write [pgbouncer] or [databases] above it"));
            }
        }
        Ok(())
    }

    fn start(&mut self, name: &str, spot: &Spot) -> Result<(), Fault> {
        let section = match name {
            "pgbouncer" => Section::Settings,
            "databases" => Section::Databases,
            "users" => Section::Users,
            "peers" => Section::Peers,
            _ => Section::Unknown,
        };
        self.section = Some(section);
        if section == Section::Settings {
            self.has_settings = true;
            // PgBouncer sets every default at each start of the section.
            if !self.ini.settings.is_empty() {
                self.ini.settings.clear();
                self.ini.restarts.push(spot.clone());
            }
        }
        if section == Section::Unknown {
            return Err(Fault::new(format!("there is no section [{name}]"))
                .fix("use one of [databases], [users], [peers], [pgbouncer]"));
        }
        Ok(())
    }
}

/// A key and what follows it.
fn key(line: &str) -> Result<(String, &str), Fault> {
    if line.starts_with('"') {
        return quoted(line).filter(|(name, _)| !name.is_empty()).ok_or_else(|| {
            Fault::new("a name in double quotes is empty or not closed").fix("write it as \"name\" = …")
        });
    }
    let end = line.find(|c: char| !(c.is_ascii_alphanumeric() || "_.-*".contains(c))).unwrap_or(line.len());
    Ok((line[..end].to_owned(), &line[end..]))
}

/// Without what C calls space, at both ends.
fn trim(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_ascii_whitespace() || c == '\x0b')
}
