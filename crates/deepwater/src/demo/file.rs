//! The demo's configuration as a file, with every key there is, in a folder that only its user can open. A person may
//! edit it while the demo runs, and say `deepwater reload`.

use std::fs::{self, DirBuilder};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use deepwater_core::config::to_toml;

use super::shop::random_text;
use crate::settings::Settings;

/// Name of the file.
const NAME: &str = "deepwater.toml";
/// Beside it: the password of the database's user, which no configuration should hold.
pub(super) const PASSWORD: &str = "database-password";

/// The file. Dropping it removes it, with its folder.
pub(super) struct ConfigurationFile {
    folder: PathBuf,
    path: PathBuf,
}

impl ConfigurationFile {
    /// Makes the folder, with the password of the database's user if there is one.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn make(password: Option<&str>) -> io::Result<Self> {
        let folder = std::env::temp_dir().join(format!("deepwater-demo-{}", random_text()?));
        DirBuilder::new().mode(0o700).create(&folder)?;
        let made = Self { path: folder.join(NAME), folder };
        if let Some(password) = password {
            let path = made.folder.join(PASSWORD);
            let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
            file.write_all(password.as_bytes())?;
        }
        Ok(made)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What paths in the file are relative to.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes it anew.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn write(&self, settings: &Settings) -> io::Result<()> {
        self.write_text(&to_toml(settings).map_err(io::Error::other)?)
    }

    /// The same, whatever it says.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn write_text(&self, text: &str) -> io::Result<()> {
        // Whoever reads meanwhile sees the old one or the new one.
        let new = self.path.with_extension("new");
        fs::write(&new, text)?;
        fs::rename(&new, &self.path)
    }

    /// What it says.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn text(&self) -> io::Result<String> {
        fs::read_to_string(&self.path)
    }
}

impl Drop for ConfigurationFile {
    fn drop(&mut self) {
        // What stays behind is small, and in a folder for such things.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::demo::configuration;

    #[test]
    fn what_is_written_is_read_again_as_it_was() {
        let file = ConfigurationFile::make(Some("secret")).unwrap();
        let folder = file.folder().to_owned();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&folder), mode(&folder.join(PASSWORD))), (0o700, 0o600));

        let listen = "127.0.0.1:8080".parse().unwrap();
        let shops = ["127.0.0.1:4001".parse().unwrap(), "127.0.0.1:4002".parse().unwrap()];
        let settings = configuration::settings(listen, deepwater_lens::console::Listen::Off, &shops, None);
        file.write(&settings).unwrap();
        let Ok(read) = Settings::load(file.path()) else { panic!("not valid: {}", file.text().unwrap()) };
        assert_eq!(read, settings);
        drop(file);
        assert!(!folder.exists());
    }
}
