//! Input that means harm, or nothing.

use proptest::prelude::*;

use super::{disk, load_from, loaded, problems, read};

#[test]
fn files_that_include_themselves_end() {
    let text = load_from(disk(&[("pgbouncer.ini", "[pgbouncer]\n%include pgbouncer.ini\n")])).unwrap_err();
    assert!(text.contains("more than 10 deep"), "{text}");
    let twice = "%include pgbouncer.ini\n".repeat(2_000);
    let text = load_from(disk(&[("pgbouncer.ini", &twice)])).unwrap_err();
    assert!(text.contains("more than 1000 of them"), "{}", &text[..200.min(text.len())]);
}

#[test]
fn broken_lines_are_named() {
    for (text, says) in [
        ("", "the section [pgbouncer] is missing"),
        ("[databases]\n", "the section [pgbouncer] is missing"),
        ("key = value\n[pgbouncer]\n", "`key` stands before the first section"),
        ("[pgbouncer\n", "not closed"),
        ("[pgbouncer]\nkey\n", "neither `key = value`"),
        ("[pgbouncer]\n= value\n", "there is no setting ``"),
        ("[pgbouncer]\n%include\n", "neither"),
        ("[pgbouncer]\n%include missing.ini\n", "pgbouncer.ini:2: cannot read missing.ini"),
        ("[databases]\n\"shop = host=h\n[pgbouncer]\n", "double quotes is empty or not closed"),
        ("[databases]\nmy shop = host=h\n[pgbouncer]\n", "in double quotes"),
        ("[databases]\na = host=h\0\n[pgbouncer]\n", "zero bytes"),
        ("[databases]\na = host=h,,g\n[pgbouncer]\n", "is not a host"),
        ("[databases]\na = host=h;drop\n[pgbouncer]\n", "is not a host"),
        ("[databases]\na = host=h pool_size=5x\n[pgbouncer]\n", "not a whole number"),
        ("[databases]\na = host=h pool_size=0\n[pgbouncer]\n", "serves nobody"),
        ("[users]\na = pool_size=0\n[pgbouncer]\n", "serves nobody"),
        ("[databases]\na = host=h target_session_attrs=any\n[pgbouncer]\n", "PgBouncer 1.26"),
        ("[databases]\n = host=h\n[pgbouncer]\n", "no name"),
    ] {
        let printed = problems(text);
        assert!(printed.contains(says), "{text:?}: {printed}");
    }
    let sections = "[pgbouncer]".repeat(100_000);
    assert!(read(&sections).is_ok(), "deep nesting is no recursion");
}

#[test]
fn the_section_that_starts_again_forgets_as_in_pgbouncer() {
    let loaded = loaded(
        "[pgbouncer]\ndefault_pool_size = 3\npool_mode = statement\n[databases]\n[pgbouncer]\nmin_pool_size = 1\n",
    );
    assert_eq!((loaded.config.pool_size, loaded.config.min_pool_size), (20, 1));
    assert_eq!(loaded.notes.len(), 1, "{:?}", loaded.notes);
    assert_eq!(loaded.notes[0].line, Some(5));
}

#[test]
fn windows_line_ends_and_odd_spaces() {
    let loaded =
        loaded("\r\n[databases] shop = host=h\r\n\x0b[pgbouncer]\r\n\tpool_mode\t=\ttransaction \x0b\r\n");
    assert_eq!(loaded.config.mode, crate::config::PoolMode::Transaction);
    assert!(loaded.config.databases.contains_key("shop"));
}

proptest! {
    /// Whatever stands in the file, the answer is a configuration or problems; and a configuration can be printed.
    #[test]
    fn nothing_brings_the_reader_down(text in r#"(\[(pgbouncer|databases|users|peers)\]\n|[a-z_*"]{1,12} ?= ?|host=|pool_size=|[a-z0-9'" ,.:/@\\-]{0,9}|;|\n|%include |\PC){0,60}"#) {
        if let Ok(mut loaded) = read(&text) {
            let _ = loaded.to_toml();
            let _ = loaded.show();
            let _ = loaded.set("pool_mode", &text);
        }
    }
}
