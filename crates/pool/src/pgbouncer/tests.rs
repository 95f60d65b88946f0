mod hostile;
mod real;
mod set;
mod table;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Files, Loaded, load_with};

/// Files that exist in a test alone; the working directory is `/work-dir`.
#[derive(Default)]
struct Disk(BTreeMap<PathBuf, Vec<u8>>);

impl Files for Disk {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.0.get(path).cloned().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }

    fn exists(&self, path: &Path) -> bool {
        self.0.contains_key(path)
    }
}

fn disk(files: &[(&str, &str)]) -> Arc<Disk> {
    let directory = Path::new("/work-dir");
    Arc::new(Disk(
        files.iter().map(|(path, text)| (directory.join(path), text.as_bytes().to_vec())).collect(),
    ))
}

fn load_from(disk: Arc<Disk>) -> Result<Loaded, String> {
    load_with(Path::new("pgbouncer.ini"), Path::new("/work-dir"), disk)
        .map_err(|problems| problems.to_string())
}

/// Reads `pgbouncer.ini` of this text.
fn read(text: &str) -> Result<Loaded, String> {
    load_from(disk(&[("pgbouncer.ini", text)]))
}

fn loaded(text: &str) -> Loaded {
    read(text).unwrap_or_else(|problems| panic!("{problems}\n--\n{text}"))
}

fn problems(text: &str) -> String {
    match read(text) {
        Ok(loaded) => panic!("accepted:\n{text}\nas {loaded:?}"),
        Err(problems) => problems,
    }
}

/// `[pgbouncer]` with these lines.
fn settings(lines: &str) -> String {
    format!("[databases]\n[pgbouncer]\n{lines}\n")
}
