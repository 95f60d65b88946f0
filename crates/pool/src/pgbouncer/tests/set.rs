//! SHOW CONFIG, SET and RELOAD.

use std::path::Path;
use std::sync::{Arc, Mutex};

use super::{disk, load_from, loaded, settings};
use crate::config::PoolMode;
use crate::pgbouncer::{ConfigRow, Files, Loaded, SystemFiles, load_with};

fn row(loaded: &Loaded, key: &str) -> ConfigRow {
    loaded.show().into_iter().find(|row| row.key == key).unwrap_or_else(|| panic!("no row {key}"))
}

#[test]
fn show_writes_values_as_pgbouncer_does() {
    let loaded = loaded(&settings(
        "listen_addr = *\npool_mode = TRANSACTION\nquery_timeout = 0.50\nlog_stats = yes\nunix_socket_mode = 0700",
    ));
    for (key, value, default, changeable) in [
        ("pool_mode", Some("transaction"), Some("session"), true),
        ("query_timeout", Some("0.5"), Some("0"), true),
        ("server_lifetime", Some("3600"), Some("3600"), true),
        ("log_stats", Some("1"), Some("1"), true),
        ("listen_addr", Some("*"), Some(""), false),
        ("unix_socket_mode", Some("448"), Some("0777"), false),
        ("verbose", Some("0"), None, true),
        ("auth_user", None, None, true),
        ("conffile", Some("pgbouncer.ini"), None, true),
        ("max_packet_size", Some("2147483647"), Some("2147483647"), true),
    ] {
        let expected = ConfigRow { key, value: value.map(str::to_owned), default, changeable };
        assert_eq!(row(&loaded, key), expected);
    }
    let keys: Vec<_> = loaded.show().iter().map(|row| row.key).collect();
    assert!(keys.is_sorted() && keys.len() > 90, "{}", keys.len());
}

#[test]
fn set_changes_one_setting_or_nothing() {
    let mut loaded = loaded(&settings("default_pool_size = 5"));
    loaded.set("default_pool_size", "7").unwrap();
    loaded.set("pool_mode", "statement").unwrap();
    assert_eq!((loaded.config.pool_size, loaded.config.mode), (7, PoolMode::Statement));
    assert_eq!(row(&loaded, "default_pool_size").value.as_deref(), Some("7"));
    let before = loaded.clone();
    for (key, value, says) in [
        ("pool_mode", "none", "write one of session"),
        ("listen_port", "7000", "at the start of the process only"),
        ("nothing", "1", "there is no setting `nothing`"),
        ("auth_type", "hba", "set auth_hba_file"),
        ("peer_id", "3", "is not supported"),
    ] {
        let error = loaded.set(key, value).expect_err(key);
        assert!(error.contains(says), "{key}: {error}");
        assert_eq!((&loaded.config, loaded.show()), (&before.config, before.show()), "{key}");
    }
}

/// A disk whose one file can be written.
struct Editable(Mutex<String>);

impl Files for Editable {
    fn read(&self, path: &Path) -> std::io::Result<Vec<u8>> {
        assert_eq!(path, Path::new("/work-dir/pgbouncer.ini"));
        Ok(self.0.lock().unwrap().clone().into_bytes())
    }

    fn exists(&self, path: &Path) -> bool {
        SystemFiles.exists(path)
    }
}

#[test]
fn reload_takes_up_what_may_change_and_keeps_the_rest() {
    let file = Arc::new(Editable(Mutex::new(settings(
        "listen_addr=127.0.0.1\nlisten_port=7000\ndefault_pool_size=5",
    ))));
    let write = |text: &str| *file.0.lock().unwrap() = text.to_owned();
    let mut loaded =
        load_with(Path::new("pgbouncer.ini"), Path::new("/work-dir"), Arc::clone(&file) as Arc<dyn Files>)
            .unwrap();
    let listen = loaded.config.listen.clone();
    loaded.set("max_client_conn", "7").unwrap();

    write(&settings("listen_addr=127.0.0.1\nlisten_port=7001\ndefault_pool_size=6\npidfile=/run/new.pid"));
    loaded.reload().unwrap();
    assert_eq!((loaded.config.pool_size, loaded.config.max_clients), (6, 100), "SET lasts until RELOAD");
    assert_eq!((&loaded.config.listen, loaded.process.pidfile.as_deref()), (&listen, None));
    let notes: Vec<String> = loaded.notes.iter().map(ToString::to_string).collect();
    assert_eq!(
        notes,
        [
            "pgbouncer.ini:4: listen_port: changes at the next start of the process only",
            "pgbouncer.ini:6: pidfile: changes at the next start of the process only",
        ]
    );
    let before = loaded.clone();
    write("[pgbouncer]\nnonsense = 1\n");
    assert!(loaded.reload().is_err());
    assert_eq!((loaded.config, loaded.process), (before.config, before.process));
}

#[test]
fn set_conffile_moves_the_next_reload() {
    let mut loaded = load_from(disk(&[
        ("pgbouncer.ini", "[pgbouncer]\n"),
        ("other.ini", "[pgbouncer]\ndefault_pool_size = 3\n"),
    ]))
    .unwrap();
    loaded.set("conffile", "other.ini").unwrap();
    loaded.reload().unwrap();
    assert_eq!(loaded.config.pool_size, 3);
    assert_eq!(row(&loaded, "conffile").value.as_deref(), Some("other.ini"));
}
