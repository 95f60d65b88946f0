use deepwater_core::config::Checker;

use super::*;

fn config(toml: &str) -> Config {
    deepwater_core::config::Document::parse(toml, "postgres.toml").unwrap().decode().unwrap()
}

fn problems(toml: &str, directory: &Path) -> Vec<String> {
    let checker = Checker::without_document();
    let built = build(&config(toml), directory, Face::Native, &checker.at("postgres"));
    let problems = checker.finish().err().map(|problems| problems.iter().map(ToString::to_string).collect());
    let problems: Vec<String> = problems.unwrap_or_default();
    assert_eq!(built.is_none(), !problems.is_empty(), "a plan, or why there is none: {problems:?}");
    problems
}

fn here() -> &'static Path {
    Path::new("")
}

const SHOP: &str = "[databases.shop]\nprimary = \"postgres://db.example/shop\"\n";

#[test]
fn what_is_sound_becomes_a_plan() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("users.txt"), "\"app\" \"file\"\n\"both\" \"file\"\n").unwrap();
    let toml = format!(
        "listen = \"127.0.0.1:6432\"\n{SHOP}[databases.\"*\"]\nprimary = \"postgres://own:secret@db.example\"\n\
         [auth]\nusers = \"users.txt\"\n[users.both]\npassword = \"config\"\npool_size = 3\n"
    );
    assert_eq!(problems(&toml, folder.path()), [""; 0]);
    let checker = Checker::without_document();
    let plan = build(&config(&toml), folder.path(), Face::Native, &checker.root()).unwrap();
    let shop = plan.database("shop").unwrap();
    assert_eq!((shop.server_name.as_str(), shop.user.as_deref(), shop.is_fallback), ("shop", None, false));
    let other = plan.database("other").unwrap();
    assert_eq!(
        (other.server_name.as_str(), other.user.as_deref(), other.is_fallback),
        ("other", Some("own"), true)
    );
    assert_eq!(other.password, Some(StoredPassword::Plain("secret".into())));
    assert_eq!(plan.passwords["app"], StoredPassword::Plain("file".into()));
    assert_eq!(
        plan.passwords["both"],
        StoredPassword::Plain("config".into()),
        "the configuration goes first"
    );
    assert_eq!(plan.limits(&shop, "both").size, 3);
    assert!(plan.max_clients > 0 && !plan.stores_scram());
    assert_eq!(plan.databases().count(), 1);
}

#[test]
fn everything_that_cannot_be_meant_is_reported_at_once() {
    let toml = "listen = \"127.0.0.1:6432\"\npool_size = 0\nunix_socket_mode = \"999\"\n\
                [databases.pgbouncer]\nprimary = \"postgres://h\"\n\
                [databases.shop]\nprimary = \"postgres://h\"\npassword = \"x\"\nauth_database = \"nowhere\"\n\
                [databases.twice]\nprimary = \"postgres://a:b@h\"\npassword = \"x\"\n\
                [auth]\nmethod = \"hba\"\nquery_user = \"asker\"\nquery = \"SELECT 1\"\nscram_iterations = 0\n\
                [users.app]\npassword = \"SCRAM-SHA-256$broken\"\n\
                [tls]\nmode = \"require\"\n";
    let found = problems(toml, here());
    for key in [
        "postgres.pool_size",
        "postgres.unix_socket_mode",
        "postgres.databases.pgbouncer",
        "postgres.databases.shop.password",
        "postgres.databases.shop.auth_database",
        "postgres.databases.twice.password",
        "postgres.auth.method",
        "postgres.auth.query",
        "postgres.auth.scram_iterations",
        "postgres.users.app.password",
        "postgres.tls.mode",
    ] {
        let start = format!("{key}: ");
        assert!(found.iter().any(|problem| problem.starts_with(&start)), "{key} is not in {found:#?}");
    }
    assert_eq!(found.len(), 11, "{found:#?}");
}

#[test]
fn files_tell_their_line_and_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("users.txt"), "\"app\" \"ok\"\nhunter2\n").unwrap();
    std::fs::write(folder.path().join("hba.conf"), "host all all all ident\n").unwrap();
    let toml = format!("{SHOP}[auth]\nusers = \"users.txt\"\nhba = \"hba.conf\"\nident = \"missing\"\n");
    let found = problems(&toml, folder.path()).join("\n");
    assert!(found.contains("auth.users: `users.txt`, line 2: "), "{found}");
    assert!(found.contains("auth.hba: `hba.conf`, line 1: "), "{found}");
    assert!(found.contains("auth.ident: cannot read"), "{found}");
    assert!(!found.contains("hunter2"), "{found}");
}

#[test]
fn clients_need_what_their_way_of_proof_needs() {
    let with = |more: &str| problems(&format!("listen = \"127.0.0.1:1\"\n{SHOP}{more}"), here()).join("\n");
    assert!(with("[auth]\nmethod = \"any\"\n").contains("databases.shop.primary: "));
    assert!(with("[auth]\nmethod = \"cert\"\n").contains("auth.method: "));
    assert!(with("[tls]\nmode = \"verify_full\"\ncert = \"c\"\nkey = \"k\"\n").contains("tls.mode: "));
    assert!(problems("listen = \"127.0.0.1:1\"\n", here())[0].contains("no database"));
}

#[test]
fn tls_to_servers_is_set_up_for_every_mode_in_use() {
    let toml = "[databases.a]\nprimary = \"postgres://h/a?sslmode=require\"\n[databases.b]\nprimary = \"postgres://h/b\"\n\
                [databases.c]\nprimary = \"postgres://h/c?sslmode=disable\"\n\
                [databases.d]\nprimary = \"postgres:///d?host=/run&sslmode=verify-full\"\n";
    let checker = Checker::without_document();
    let plan = build(&config(toml), here(), Face::Native, &checker.root()).unwrap();
    let mut modes: Vec<_> = plan.server_tls.keys().copied().collect();
    modes.sort_by_key(|mode| *mode as u8);
    assert_eq!(modes, [crate::config::ServerTlsMode::Prefer, crate::config::ServerTlsMode::Require]);
}
