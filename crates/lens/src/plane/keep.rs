//! What is kept beyond a restart, where a file is configured: measurements, and beside them what advice was dismissed.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use deepwater_core::Events;

use super::State;
use crate::advice::{Dismissed, Ledger};
use crate::store::Store;

/// Most bytes of a file that are read.
const MOST_BYTES: u64 = 1 << 30;

deepwater_core::event! {
    /// What was measured before cannot be read.
    pub struct SnapshotUnread { file: String, reason: String }
    snapshot_unread: Warn, "the lens begins anew: {file} cannot be read: {reason}"
}

deepwater_core::event! {
    /// What was measured cannot be kept.
    pub struct SnapshotUnwritten { file: String, reason: String }
    snapshot_unwritten: Warn, "what the lens has measured is not kept: {file} cannot be written: {reason}; fix: let this user write there, or leave out lens.snapshot"
}

/// The files.
#[derive(Debug, Clone)]
pub(super) struct Keep {
    measurements: PathBuf,
    dismissed: PathBuf,
}

impl Keep {
    /// Beside the named file is one with `.advice.json` behind its name.
    pub(super) fn at(file: PathBuf) -> Self {
        let mut name = file.file_name().unwrap_or_default().to_owned();
        name.push(".advice.json");
        Self { dismissed: file.with_file_name(name), measurements: file }
    }

    /// Takes in what there is. A file that is not there yet is nothing to speak of.
    pub(super) fn read(&self, state: &mut State, wall: SystemTime, events: &Events) {
        let unread = |file: &Path, reason: String| {
            events.emit(SnapshotUnread { file: file.display().to_string(), reason });
        };
        match bytes(&self.measurements) {
            Ok(None) => {}
            Ok(Some(bytes)) => {
                if let Err(error) = state.store.take_in(&bytes, seconds(wall)) {
                    unread(&self.measurements, error.to_string());
                }
            }
            Err(error) => unread(&self.measurements, error.to_string()),
        }
        match bytes(&self.dismissed).map(|bytes| bytes.map(|bytes| serde_json::from_slice(&bytes))) {
            Ok(None) => {}
            Ok(Some(Ok(dismissed))) => state.ledger = Ledger::with(dismissed),
            Ok(Some(Err(error))) => unread(&self.dismissed, error.to_string()),
            Err(error) => unread(&self.dismissed, error.to_string()),
        }
    }

    /// Writes both; the old ones stay until the new ones are whole.
    pub(super) fn write(&self, (store, dismissed): &Kept, events: &Events) {
        let measurements = replace(&self.measurements, store);
        let dismissed = serde_json::to_vec_pretty(dismissed).map_err(io::Error::other);
        let dismissed = dismissed.and_then(|bytes| replace(&self.dismissed, &bytes));
        for (file, written) in [(&self.measurements, measurements), (&self.dismissed, dismissed)] {
            if let Err(error) = written {
                let file = file.display().to_string();
                events.emit(SnapshotUnwritten { file, reason: error.to_string() });
            }
        }
    }
}

/// What is written: measurements as bytes, and what was dismissed.
pub(super) type Kept = (Vec<u8>, BTreeMap<String, Dismissed>);

/// A copy to be written while pages are read.
pub(super) fn kept(store: &Store, ledger: &Ledger, wall: SystemTime) -> Kept {
    (store.to_bytes(seconds(wall)), ledger.dismissed().clone())
}

fn seconds(wall: SystemTime) -> u64 {
    wall.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// A file's bytes; none when there is no such file.
fn bytes(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
        Ok(about) if about.len() > MOST_BYTES => Err(io::Error::other("it is too large")),
        Ok(_) => fs::read(path).map(Some),
    }
}

/// Writes a file anew: whoever reads, also after a crash, sees the old one or the new one.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = path.with_file_name(name);
    let mut file = fs::File::create(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&new, path)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::signal::REQUESTS;

    fn state() -> State {
        State {
            store: Store::new(1 << 24),
            cliffs: Default::default(),
            advice: Default::default(),
            ledger: Ledger::default(),
            facts: Arc::default(),
            unknown: Vec::new(),
        }
    }

    #[test]
    fn what_is_kept_comes_back_and_what_is_damaged_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let keep = Keep::at(folder.path().join("lens.bin"));
        let (events, wall) = (Events::silent(), UNIX_EPOCH + Duration::from_secs(1_000));
        let mut before = state();
        keep.read(&mut before, wall, &events);
        assert!(events.counts().is_empty(), "nothing there yet");
        before.store.put(&REQUESTS, "", 7.0);
        before.store.pass(1);
        let dismissed = Dismissed { reason: "not now".into(), at: "1970-01-01T00:00:00Z".into() };
        before.ledger = Ledger::with([("pool_size:shop".to_owned(), dismissed.clone())].into());
        keep.write(&kept(&before.store, &before.ledger, wall), &events);

        let mut after = state();
        keep.read(&mut after, wall + Duration::from_secs(2), &events);
        assert_eq!(after.store.seconds(&REQUESTS, "", 3)[0], 7.0);
        assert_eq!(after.ledger.dismissed()["pool_size:shop"], dismissed);
        assert!(events.counts().is_empty());

        fs::write(folder.path().join("lens.bin"), "nonsense").unwrap();
        fs::write(folder.path().join("lens.bin.advice.json"), "{").unwrap();
        keep.read(&mut state(), wall, &events);
        assert_eq!(events.counts()["snapshot_unread"], 2);
        fs::remove_dir_all(folder.path()).unwrap();
        keep.write(&kept(&before.store, &before.ledger, wall), &events);
        assert_eq!(events.counts()["snapshot_unwritten"], 2);
    }
}
