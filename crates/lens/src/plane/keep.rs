//! What is kept beyond a restart, where a file is configured: measurements, and beside them what became of advice.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use deepwater_core::Events;

use super::State;
use crate::advice::{Ledger, Memory};

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
    snapshot_unwritten: Warn, "what the lens knows is not kept: {file} cannot be written: {reason}; fix: let this user write there, or leave out lens.snapshot"
}

/// The files.
#[derive(Debug)]
pub(super) struct Keep {
    measurements: PathBuf,
    advice: PathBuf,
    /// One writer of the latter at a time, with what is known then: a slower one would bring back what was before.
    writing: Mutex<()>,
}

impl Keep {
    /// Beside the named file is one with `.advice.json` behind its name.
    pub(super) fn at(file: PathBuf) -> Self {
        let mut name = file.file_name().unwrap_or_default().to_owned();
        name.push(".advice.json");
        Self { advice: file.with_file_name(name), measurements: file, writing: Mutex::default() }
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
        match bytes(&self.advice).map(|bytes| bytes.map(|bytes| serde_json::from_slice(&bytes))) {
            Ok(None) => {}
            Ok(Some(Ok(memory))) => state.ledger = Ledger::with(memory),
            Ok(Some(Err(error))) => unread(&self.advice, error.to_string()),
            Err(error) => unread(&self.advice, error.to_string()),
        }
    }

    /// Writes what was measured, now and then; the old file stays until the new one is whole.
    pub(super) fn write_measurements(&self, store: &[u8], events: &Events) {
        told(&self.measurements, replace(&self.measurements, store), events);
    }

    /// Writes what is remembered of advice, as soon as it changes; and whether that went well.
    pub(super) fn write_advice(&self, memory: impl FnOnce() -> Memory, events: &Events) -> bool {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = serde_json::to_vec_pretty(&memory()).map_err(io::Error::other);
        told(&self.advice, bytes.and_then(|bytes| replace(&self.advice, &bytes)), events)
    }
}

/// Says what could not be written; and whether it could.
fn told(file: &Path, written: io::Result<()>, events: &Events) -> bool {
    if let Err(error) = &written {
        let file = file.display().to_string();
        events.emit(SnapshotUnwritten { file, reason: error.to_string() });
    }
    written.is_ok()
}

/// The time of day as it stands in files.
pub(super) fn seconds(wall: SystemTime) -> u64 {
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
    use crate::advice::Dismissed;
    use crate::signal::REQUESTS;
    use crate::store::Store;

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
        let mut memory = Memory::default();
        memory.dismissed.insert("pool_size:shop".into(), dismissed);
        keep.write_measurements(&before.store.to_bytes(seconds(wall)), &events);
        assert!(keep.write_advice(|| memory.clone(), &events));

        let mut after = state();
        keep.read(&mut after, wall + Duration::from_secs(2), &events);
        assert_eq!(after.store.seconds(&REQUESTS, "", 3)[0], 7.0);
        assert_eq!(*after.ledger.memory(), memory);
        assert!(events.counts().is_empty());

        fs::write(folder.path().join("lens.bin"), "nonsense").unwrap();
        fs::write(folder.path().join("lens.bin.advice.json"), "{").unwrap();
        keep.read(&mut state(), wall, &events);
        assert_eq!(events.counts()["snapshot_unread"], 2);
        fs::remove_dir_all(folder.path()).unwrap();
        keep.write_measurements(b"", &events);
        assert!(!keep.write_advice(Memory::default, &events));
        assert_eq!(events.counts()["snapshot_unwritten"], 2);
    }
}
