//! No file of PgBouncer's brings the reader down; every problem can be printed; a configuration that is accepted can be
//! shown, and translated into one that is read as the same.
#![no_main]

use std::io;
use std::path::Path;
use std::sync::Arc;

use deepwater_core::config::Document;
use deepwater_pool::Config;
use deepwater_pool::config::ServerUrl;
use deepwater_pool::hba::{Hba, Ident, Kind};
use deepwater_pool::pgbouncer::{Files, load_with};
use deepwater_pool::userlist::Userlist;
use libfuzzer_sys::fuzz_target;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Root {
    postgres: Config,
}

/// The one file there is, under every name.
struct OneFile(Vec<u8>);

impl Files for OneFile {
    fn read(&self, _: &Path) -> io::Result<Vec<u8>> {
        Ok(self.0.clone())
    }

    fn exists(&self, path: &Path) -> bool {
        path.as_os_str().len() % 2 == 0
    }
}

fuzz_target!(|text: &str| {
    if let Err(problems) = Userlist::parse(text, "userlist.txt") {
        assert!(!problems.to_string().is_empty());
    }
    match Hba::parse_with(text, "pg_hba.conf", &|_| Ok("all, other, @more".into())) {
        Ok(rules) => {
            rules.first_match(Kind::Local, text, "user", false);
            let address = [192, 0, 2, 1].into();
            rules.first_match(Kind::Host { address, tls: true }, "database", text, true);
        }
        Err(problems) => assert!(!problems.to_string().is_empty()),
    }
    match Ident::parse(text, "pg_ident.conf") {
        Ok(maps) => drop(maps.map("map", text, "user")),
        Err(problems) => assert!(!problems.to_string().is_empty()),
    }
    if let Ok(url) = text.parse::<ServerUrl>()
        && url.password.is_none()
    {
        assert_eq!(url.to_string().parse(), Ok(url));
    }
    let loaded = load_with(Path::new("pgbouncer.ini"), Path::new("/"), Arc::new(OneFile(text.into())));
    match loaded {
        Ok(mut loaded) => {
            let translated = loaded.to_toml();
            let read =
                Document::parse(&translated, "deepwater.toml").and_then(|document| document.decode::<Root>());
            let Ok(root) = read else { panic!("{translated}") };
            assert_eq!(root.postgres.databases.len(), loaded.config.databases.len());
            assert_eq!(root.postgres.listen, loaded.config.listen);
            let rows = loaded.show();
            if loaded.set("auth_query", text).is_err() {
                assert_eq!(loaded.show(), rows);
            }
        }
        Err(problems) => assert!(!problems.to_string().is_empty()),
    }
});
