//! What a user of the configuration meets: mistakes, all named at once; a print of what is in force; a
//! reference that cannot be out of date.

use std::path::Path;

use proptest::prelude::*;
use schemars::JsonSchema;
use serde::Deserialize;

use super::sample::{Balance, Caching, Config, DOCUMENT, Log, Sticky, Target};
use super::*;

fn decode(text: &str) -> Result<Config, Problems> {
    Document::parse(text, "deepwater.toml")?.decode()
}

/// The problems of a document, one string each, as the user reads them.
fn problems(text: &str) -> Vec<String> {
    let problems = decode(text).expect_err("the document has mistakes");
    problems.iter().map(|problem| problem.to_string().replace("deepwater.toml:", "")).collect()
}

/// The only problem of a document.
fn problem(text: &str) -> String {
    let problems = problems(text);
    assert_eq!(problems.len(), 1, "{problems:#?}");
    problems.into_iter().next().expect("one")
}

#[test]
fn a_right_document_becomes_the_typed_value() {
    let config = decode(DOCUMENT).unwrap_or_else(|problems| panic!("{problems}"));

    assert_eq!(config.edge.listen[0].header_timeout, Duration::from_secs(5));
    assert_eq!(config.edge.listen[0].header_limit, Size::from_kib(64), "the default");
    assert_eq!(config.edge.route[0].cache, Caching::Switch(false), "the default");
    assert!(
        matches!(&config.edge.route[1].cache, Caching::Overrides(it) if it.fresh == Duration::from_secs(90))
    );
    let app = &config.pools["app"];
    assert_eq!(app.balance, Balance::LeastConnections);
    assert_eq!(app.sticky, Some(Sticky::Cookie("lb-server".to_owned())));
    assert!(matches!(&app.targets[..], [Target::Address(_), Target::Weighted(two)] if two.weight == 4));
    assert_eq!(app.health.jitter, Percent::new(10));
    assert!(matches!(&config.log, Log::File(file) if file.sample.to_string() == "0.5%"));

    assert_eq!(decode("").expect("nothing is required"), Config::default());
}

#[test]
fn every_mistake_is_reported_at_once_with_its_line_and_fix() {
    let text = r#"[console]
listn = "127.0.0.1:9000"

[[edge.listen]]
header_timeout = 5
header_limit = "10mb"

[[edge.listen]]
address = 8080

[pools.app]
targets = [
  "127.0.0.1:3000",
  3001,
  { address = "127.0.0.1:3002", weight = 0 },
  { adress = "127.0.0.1:3003" },
]
balance = "rr"
health = { every = "soon" }

[pool.static]
targets = ["127.0.0.1:4000"]
"#;
    let printed = decode(text).expect_err("many mistakes").to_string();

    let expected = r#"deepwater.toml:2: console.listn: unknown key
  fix: did you mean `listen`?
deepwater.toml:4: edge.listen[0].address: this required key is missing
  fix: add `address`: a string such as "0.0.0.0:8080"
deepwater.toml:5: edge.listen[0].header_timeout: expected a duration such as "10s", found an integer
  fix: write "5s"
deepwater.toml:6: edge.listen[0].header_limit: `10mb` is not a size
  fix: write "10MiB" (powers of 1024) or "10MB" (powers of 1000)
deepwater.toml:9: edge.listen[1].address: expected a string such as "0.0.0.0:8080", found an integer
  fix: write it like "0.0.0.0:8080"
deepwater.toml:14: pools.app.targets[1]: expected a string or a table, found an integer
  fix: put it in quotes
deepwater.toml:15: pools.app.targets[2].weight: 0 is out of range: expected 1 to 1000
  fix: write 1 to 1000
deepwater.toml:16: pools.app.targets[3].address: this required key is missing
  fix: add `address`: a string
deepwater.toml:16: pools.app.targets[3].adress: unknown key
  fix: did you mean `address`?
deepwater.toml:18: pools.app.balance: unknown balancer `rr`; known: `round_robin`, `least_connections`, `ip_hash`
  fix: did you mean `round_robin`?
deepwater.toml:19: pools.app.health.every: `soon` is not a duration
  fix: write a whole number and a unit, such as "10s" (units: d, h, m, s, ms, us, ns)
deepwater.toml:21: pool: unknown key
  fix: did you mean `pools`?"#;
    assert_eq!(printed, expected);
}

#[test]
fn every_syntax_error_is_reported_with_its_line_and_column() {
    let text = "[console]\nlisten = \nx = 1\n\n[pools.app\ntargets = ['a']\n\n[console]\n";
    let problems = Document::parse(text, "deepwater.toml").expect_err("three mistakes");

    let places: Vec<_> = problems.iter().map(|problem| (problem.line, problem.key.as_str())).collect();
    assert_eq!(places, [(Some(2), ""), (Some(5), ""), (Some(8), "")], "{problems}");
    assert!(problems.iter().all(|problem| problem.column.is_some()));
    assert!(problems.to_string().starts_with("deepwater.toml:2:10: "), "{problems}");
    let last = "deepwater.toml:8:2: duplicate key: `[console]` has stood before at line 1\n  \
                fix: put all keys of it under the first, or give this one another name";
    assert!(problems.to_string().ends_with(last), "{problems}");
}

#[test]
fn syntax_errors_say_what_to_do() {
    for (text, said) in [
        ("[console]\nlisten = off\n", "2:10: string values must be quoted"),
        ("[console]\nlisten: 'off'\n", "fix: write `key = value` on one line"),
        ("[console]\nlisten = \"off\n", "fix: end it with a quote on the same line"),
        (
            "[console]\nlisten = 'a'\ntoken = 'b'\nlisten = 'c'\n",
            "4:1: duplicate key: `listen` has stood before at line 2",
        ),
        ("[console\nlisten = 'a'\n", "fix: end the heading with `]`"),
        ("[log]\nto = ['a'\n", "fix: end the list with `]`"),
    ] {
        let problems = Document::parse(text, "deepwater.toml").expect_err(text).to_string();
        assert!(problems.contains(said), "{text}: {problems}");
        assert!(problems.contains("fix: "), "{text}: {problems}");
    }
    // What stands under a heading that has stood before is no mistake of its own.
    let twice = "[console]\nlisten = 'a'\ntoken = 'b'\n\n[console] # again\nlisten = 'c'\n";
    assert_eq!(Document::parse(twice, "deepwater.toml").expect_err(twice).len(), 1);
}

#[test]
fn a_value_of_another_kind_than_a_table_names_its_keys() {
    let route = |line: &str| problem(&format!("[[edge.route]]\npool = 'app'\n{line}"));
    assert_eq!(
        route("match = '/*'"),
        "3: edge.route[0].match: expected a table, found a string\n  \
         fix: write a table, `{ key = value }`; its keys: `path`, `host`"
    );
    assert!(route("cache = 'yes'").ends_with("fix: write true or false, without quotes"));
    let health = problem("[pools.app]\ntargets = ['a:1']\nhealth = '/health'");
    assert!(health.contains("fix: write a table, `{ key = value }`"), "{health}");
    let weight = problem("[pools.app]\ntargets = [{ address = 'a:1', weight = '2x' }]");
    assert!(weight.ends_with("fix: write the number alone, without quotes and unit"), "{weight}");
}

#[test]
fn an_unknown_key_names_the_nearest_or_all() {
    assert_eq!(
        problem("[cache]\nmemry = '1MiB'"),
        "2: cache.memry: unknown key\n  fix: did you mean `memory`?"
    );
    assert_eq!(
        problem("[cache]\nttl = '1s'"),
        "2: cache.ttl: unknown key\n  fix: known keys here: `memory`, `fill`"
    );
    assert_eq!(
        problem("[pools.app]\ntargets = ['a:1']\nevery = '1s'"),
        "3: pools.app.every: unknown key\n  fix: did you mean `health.every`?"
    );
    assert_eq!(problem("[cache]\n'a key' = 1").lines().next(), Some("2: cache.\"a key\": unknown key"));
}

#[test]
fn a_key_that_takes_several_forms_reports_the_form_that_was_meant() {
    let route = |cache: &str| format!("[[edge.route]]\npool = 'app'\ncache = {cache}");

    assert!(decode(&route("true")).is_ok());
    assert!(decode(&route("{ fresh = '1s' }")).is_ok());
    assert_eq!(
        problem(&route("'true'")),
        "3: edge.route[0].cache: expected true or false, or a table, found a string\n  fix: remove the quotes"
    );
    assert_eq!(
        problem(&route("{ fresh = '1s', stale = '1s' }")),
        "3: edge.route[0].cache.stale: unknown key\n  fix: known keys here: `fresh`"
    );
    assert!(problem(&route("{ fresh = 60 }")).contains("cache.fresh: expected a duration"));
}

#[test]
fn a_table_told_apart_by_its_key_names_the_keys() {
    let pool = |sticky: &str| format!("[pools.app]\ntargets = ['a:1']\nsticky = {sticky}");

    assert!(decode(&pool("{ header = 'x-user' }")).is_ok());
    assert_eq!(
        problem(&pool("{ cokie = 'lb' }")),
        "3: pools.app.sticky.cokie: unknown key\n  fix: did you mean `cookie`?"
    );
    assert_eq!(
        problem(&pool("{ cookie = 'a', header = 'b' }")),
        "3: pools.app.sticky: `cookie`, `header` exclude each other\n  fix: keep one of them"
    );
    assert_eq!(
        problem(&pool("{}")),
        "3: pools.app.sticky: this table must have a key\n  fix: add one of `cookie`, `header`"
    );
    assert!(problem(&pool("'cookie'")).contains("expected a table, found a string"));
}

#[test]
fn a_table_told_apart_by_a_value_names_the_values() {
    assert_eq!(
        problem("[log]\nto = 'flie'"),
        "2: log.to: unknown value `flie`; known: `nothing`, `file`\n  fix: did you mean `file`?"
    );
    assert!(problem("[log]\nto = 'file'").starts_with("1: log.path: this required key is missing"));
    assert!(problem("[log]\npath = 'a'").starts_with("1: log.to: this required key is missing"));
    assert!(
        problem("[log]\nto = 1").contains("log.to: expected one of \"nothing\", \"file\", found an integer")
    );
    assert!(problem("[log]\nto = 'nothing'\npath = 'a'").starts_with("3: log.path: unknown key"));
}

#[test]
fn lists_and_tables_mistaken_for_each_other_are_explained() {
    assert!(problem("[edge.listen]\naddress = 'a:1'").contains("`[[edge.listen]]`"));
    assert!(problem("[[console]]\nlisten = 'a:1'").contains("in single brackets"));
    assert!(problem("[pools.app]\ntargets = 'a:1'").contains("put it in brackets"));
    assert!(problem("[pools.app]\ntargets = []").contains("targets: must not be empty"));
    assert!(problem("[cache]\nfill = nan").contains("expected a finite number"));
    assert!(problem("[cache]\nfill = 2").contains("2 is out of range: expected 0 to 1\n  fix: write 0 to 1"));
    assert!(problem("[cache]\nmemory = 2024-01-01").contains("found a date"));
    assert_eq!(problem("[cache]\nmemory = 268435456").lines().last(), Some("  fix: write \"256MiB\""));
    assert!(
        problem("[edge]\ntrusted = ['10.0.0.0/8']")
            .contains("trusted[0]: `10.0.0.0/8` is not an IP address of the kind expected")
    );
}

#[test]
fn flattened_and_mixed_enumerations_are_understood() {
    #[derive(Debug, PartialEq, Deserialize, JsonSchema)]
    struct Rule {
        name: String,
        #[serde(flatten)]
        action: Action,
        key: Option<RateKey>,
    }
    #[derive(Debug, PartialEq, Deserialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    enum Action {
        Redirect { to: String },
        Respond { status: u16 },
    }
    #[derive(Debug, PartialEq, Deserialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    enum RateKey {
        Ip,
        Header(String),
    }
    let decode = |text: &str| {
        let document = Document::parse(text, "deepwater.toml").expect("right syntax");
        document.decode::<Rule>().map_err(|problems| problems.to_string())
    };

    let right = Rule {
        name: "a".to_owned(),
        action: Action::Respond { status: 404 },
        key: Some(RateKey::Header("x-user".to_owned())),
    };
    assert_eq!(decode("name = 'a'\nrespond = { status = 404 }\nkey = { header = 'x-user' }"), Ok(right));
    assert!(decode("name = 'a'\nredirect = { to = '/' }\nkey = 'ip'").is_ok());
    assert_eq!(
        decode("name = 'a'\nrespond = { status = 70000 }\nkey = 'pi'"),
        Err("deepwater.toml:2: respond.status: 70000 is out of range: expected 0 to 65535\n  \
               fix: write 0 to 65535\n\
             deepwater.toml:3: key: unknown value `pi`; known: `ip`\n  \
               fix: did you mean `ip`?"
            .to_owned())
    );
    assert_eq!(
        decode("name = 'a'\nredirect = { to = '/' }\nkey = 5"),
        Err("deepwater.toml:3: key: expected \"ip\" or a table, found an integer".to_owned())
    );
}

/// Types that only serde can tell right from wrong.
#[derive(Debug, Deserialize, JsonSchema)]
struct Late {
    #[expect(dead_code, reason = "only refused")]
    address: std::net::SocketAddr,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct LateConfig {
    #[expect(dead_code, reason = "only refused")]
    late: std::collections::BTreeMap<String, Late>,
}

#[test]
fn what_only_the_type_can_refuse_still_has_its_line_and_key() {
    let text = "[late.one]\naddress = '127.0.0.1:80'\n\n[late.two]\naddress = 'localhost'\n";
    let document = Document::parse(text, "deepwater.toml").expect("right syntax");
    let problems = document.decode::<LateConfig>().expect_err("no socket address");
    assert_eq!(problems.to_string(), "deepwater.toml:5: late.two.address: invalid socket address syntax");
}

#[test]
fn planes_report_what_no_type_can_say() {
    let document = Document::parse(DOCUMENT, "deepwater.toml").expect("right syntax");
    let config: Config = document.decode().expect("right types");

    let check = document.checker();
    let pools: Vec<&str> = config.pools.keys().map(String::as_str).collect();
    let route = check.at("edge").at("route").index(1);
    route.at("pool").unknown_name("pool", "ap", "[pools]", pools);
    assert_eq!(route.at("pool").line(), Some(16));
    check.at("auth").at("users").at("secret").problem("too short");
    let lost = "env:DEEPWATER_NOWHERE_SET".parse::<Secret>().expect("a secret").resolve(Path::new(""));
    check.at("auth").at("users").secret_problem(&lost.expect_err("it is not set"));
    check.at("edge").at("listen").index(0).at("tls").at("cert").problem_with_fix("is missing", "add it");
    check.at("postgres").problem("is not configured");
    let problems = check.finish().expect_err("five problems");

    assert_eq!(
        problems.to_string(),
        "deepwater.toml: postgres: is not configured\n\
         deepwater.toml:6: edge.listen[0].tls.cert: is missing\n  \
           fix: add it\n\
         deepwater.toml:16: edge.route[1].pool: there is no pool named `ap`\n  \
           fix: use one of the pools defined under [pools]: `app`, `static` (nearest: `app`)\n\
         deepwater.toml:28: auth.users: the environment variable `DEEPWATER_NOWHERE_SET` is not set\n  \
           fix: set DEEPWATER_NOWHERE_SET in the environment that Deepwater starts in, or write \"file:PATH\"\n\
         deepwater.toml:29: auth.users.secret: too short"
    );
    assert!(document.checker().finish().is_ok());
}

#[test]
fn a_configuration_from_the_command_line_has_keys_but_no_lines() {
    let check = Checker::without_document();
    check.at("edge").at("route").index(0).at("pool").unknown_name("pool", "app", "[pools]", []);
    let problems = check.finish().expect_err("one problem");
    assert_eq!(
        problems.to_string(),
        "edge.route[0].pool: there is no pool named `app`\n  fix: define it under [pools]: there is none yet"
    );
}

#[test]
fn the_effective_configuration_reads_back_as_itself() {
    for text in [DOCUMENT, ""] {
        let config = decode(text).expect("a right document");
        let printed = to_toml(&config).expect("TOML can say it");
        let read = decode(&printed).unwrap_or_else(|problems| panic!("{printed}\n{problems}"));
        assert_eq!(read, config, "{printed}");
    }
    let printed = to_toml(&decode(DOCUMENT).expect("right")).expect("TOML can say it");
    for default in ["header_limit = \"64KiB\"", "balance = \"round_robin\"", "jitter = \"10%\"", "fill = 0.9"]
    {
        assert!(printed.contains(default), "{default} in:\n{printed}");
    }
    assert!(printed.contains("token = \"env:CONSOLE_TOKEN\""), "references stay readable:\n{printed}");
}

#[test]
fn a_literal_secret_is_printed_nowhere() {
    const SECRET: &str = "hunter2-\"quoted\"";
    let assert_hidden = |text: &str| assert!(!text.contains("hunter2"), "{text}");
    let right = "[auth.users]\nsecret = 'hunter2-\"quoted\"'\n";

    let document = Document::parse(right, "deepwater.toml").expect("right syntax");
    let config: Config = document.decode().expect("right types");
    let secret = config.auth["users"].secret.resolve(document.directory()).expect("a literal");
    assert_eq!(secret.expose(), SECRET);
    let check = document.checker();
    check.at("auth").problem("something");
    assert_hidden(&format!("{config:?} {document:?} {check:?} {secret:?} {secret}"));
    let printed = to_toml(&config).expect("TOML can say it");
    assert_hidden(&printed);
    let reread = decode(&printed).expect("a print is a right document");
    assert!(reread.auth["users"].secret.resolve(document.directory()).is_err(), "but holds no secret");

    let unquoted = right.replace('\'', "");
    let twice = format!("{right}secret = 'hunter2'\n");
    for wrong in [
        unquoted.as_str(),
        twice.as_str(),
        "[auth.users]\nsecret = 'hunter2\n",
        "[auth.users]\nsecret = ['hunter2']\n",
        "[auth.users]\nsecret = { env = 'hunter2' }\n",
        "[auth.users]\nsecrets = 'hunter2'\n",
        "[auth]\nusers = 'hunter2'\n",
        "[console]\ntoken = hunter2\n",
        "[auth.users]\nsecret = 'hunter2'\n[auth.users.secret]\n",
        "[auth.users]\nsecret = 'hunter2'\nsecret.x = 1\n",
    ] {
        let problems = decode(wrong).expect_err(wrong);
        assert_hidden(&format!("{problems} {problems:?}"));
    }
}

/// Quotes what it refuses, as many a `Deserialize` does.
#[derive(Debug)]
struct Quoting;

impl<'de> Deserialize<'de> for Quoting {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Err(serde::de::Error::invalid_value(serde::de::Unexpected::Str(&text), &"something else"))
    }
}

impl JsonSchema for Quoting {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Quoting".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Secret::json_schema(generator)
    }
}

#[test]
fn a_secret_is_taken_out_of_what_serde_says() {
    #[derive(Debug, Deserialize, JsonSchema)]
    struct Config {
        #[expect(dead_code, reason = "only refused")]
        password: Quoting,
    }
    for text in ["password = 'hunter2'", "password = 'hunter2\"\\'"] {
        let document = Document::parse(text, "deepwater.toml").expect("right syntax");
        let problems = document.decode::<Config>().expect_err("refused").to_string();
        assert!(
            problems.contains("deepwater.toml:1: password: invalid value: string \"<redacted>\""),
            "{problems}"
        );
    }
}

#[test]
fn the_reference_describes_every_table_and_key() {
    let page = reference::markdown(&json_schema::<Config>(), "Configuration", "All keys.");
    for part in [
        "# Configuration\n\nAll keys.\n",
        "| `pools` | [table](#poolsname) | none | Groups of servers, by name. |",
        "## `[console]`\n\nThe dashboard",
        "## `[[edge.listen]]`\n",
        "| `address` | string | required | Address and port, e.g. `0.0.0.0:8080`. |",
        "| `header_timeout` | duration | `\"10s\"` | How long a client may take",
        "| `cache` | boolean or [table](#edgeroutecache) | `false` |",
        "## `[pools.<name>]`\n\nGroups of servers, by name.\n\nA group of servers that answer alike.\n",
        "| `targets` | list of string or [table](#poolsnametargets) | required |",
        "| `balance` | one of `round_robin`, `least_connections`, `ip_hash` | `\"round_robin\"` |",
        "- `ip_hash`: By the client's address.\n",
        "| `weight` | integer, 1 to 1000 | `1` |",
        "## `[pools.<name>.sticky]`\n",
        "| `header` | string | exactly one of these | A request header of this name. |",
        "| `log` | [table](#log-with-to--nothing) | `{ to = \"nothing\" }` |",
        "## `[log]` with `to = \"nothing\"`\n\nWhere requests are logged.\n\nNowhere.\n\nIt has no further keys.\n",
        "## `[log]` with `to = \"file\"`\n\nWhere requests are logged.\n\nTo a file.\n",
        "| `secret` | secret | required |",
        "- **size** (`\"64KiB\"`, `\"256MiB\"`, `\"10MB\"`): ",
    ] {
        assert!(page.contains(part), "{part}\nis not in:\n{page}");
    }
    for link in page.split("](#").skip(1).filter_map(|rest| rest.split(')').next()) {
        let mut headings = page.lines().filter_map(|line| line.strip_prefix("## "));
        let slug = |heading: &str| {
            let kept = |c: &char| c.is_alphanumeric() || matches!(c, '-' | '_' | ' ');
            heading.chars().filter(kept).collect::<String>().to_lowercase().replace(' ', "-")
        };
        assert!(headings.any(|heading| slug(heading) == link), "#{link} leads nowhere");
    }
}

#[test]
fn the_schema_is_one_an_editor_can_use() {
    let schema = json_schema::<Config>();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert_eq!(schema["additionalProperties"], false);
    let timeout = &schema["$defs"]["Listen"]["properties"]["header_timeout"];
    assert_eq!(timeout["format"], "human-duration");
    assert_eq!(timeout["default"], "10s");
    assert!(timeout["pattern"].is_string() && timeout["examples"].is_array());
}

#[test]
fn the_lint_names_keys_without_documentation_or_default() {
    #[derive(Deserialize, serde::Serialize, JsonSchema)]
    struct Bare {
        timeout: Duration,
        #[serde(default, skip_serializing_if = "String::is_empty")]
        /// Documented.
        name: String,
        /// Documented.
        mode: Option<Mode>,
        /// Documented.
        inner: std::collections::BTreeMap<String, Inner>,
    }
    #[derive(Deserialize, serde::Serialize, JsonSchema)]
    enum Mode {
        /// Documented.
        Fast,
        Slow,
    }
    #[derive(Deserialize, serde::Serialize, JsonSchema)]
    struct Inner {
        weight: u32,
        /// A type that contains itself ends.
        more: Vec<Inner>,
    }

    assert_eq!(undocumented::<Config>(), [] as [&str; 0]);
    assert_eq!(
        undocumented::<Bare>(),
        [
            "inner.<name>.weight: no doc comment",
            "mode = \"Slow\": no doc comment",
            "name: may be left out, but has no default",
            "timeout: no doc comment",
        ]
    );
}

/// Documents made of the pieces of right ones, which reach further than arbitrary text.
fn nearly_right() -> impl Strategy<Value = String> {
    let lines: Vec<&str> = DOCUMENT.lines().collect();
    let line = prop_oneof![
        8 => proptest::sample::select(lines).prop_map(str::to_owned),
        1 => "[a-z_]{1,8} = (1|-3|0x7f|1e400|nan|true|\"x\"|\\[\\]|\\{\\}|2024-01-01|99999999999999999999)",
        1 => "\\[\\[?[a-z.]{1,12}\\]\\]?",
        1 => "\\PC{0,20}",
    ];
    proptest::collection::vec(line, 0..20).prop_map(|lines| lines.join("\n"))
}

proptest! {
    #[test]
    fn no_text_is_a_panic(text in prop_oneof![any::<String>(), "\\PC{0,200}", nearly_right()]) {
        match decode(&text) {
            Ok(config) => drop(to_toml(&config).expect("what TOML said, TOML can say")),
            Err(problems) => prop_assert!(!problems.is_empty() && !problems.to_string().is_empty()),
        }
    }

    #[test]
    fn a_duration_reads_back_as_itself(seconds: u64, nanoseconds in 0..1_000_000_000_u32) {
        let duration = Duration::from(std::time::Duration::new(seconds, nanoseconds));
        prop_assert_eq!(duration.to_string().parse(), Ok(duration));
    }

    #[test]
    fn a_size_reads_back_as_itself(bytes in prop_oneof![any::<u64>(), (0..4096_u64).prop_map(|n| n << 20)]) {
        let size = Size::from_bytes(bytes);
        prop_assert_eq!(size.to_string().parse(), Ok(size));
    }

    #[test]
    fn a_percentage_reads_back_as_itself(whole in 0..100_u32, parts in 0..10_000_u32) {
        let percent: Percent = format!("{whole}.{parts:04}%").parse().expect("a percentage");
        prop_assert_eq!(percent.to_string().parse(), Ok(percent));
    }

    #[test]
    fn no_text_is_a_unit_that_reads_back_differently(text in "[0-9]{0,20}[a-zA-Z%.]{0,4}[0-9]{0,3}[a-z]{0,2}") {
        if let Ok(duration) = text.parse::<Duration>() {
            prop_assert_eq!(duration.to_string().parse(), Ok(duration));
        }
        if let Ok(size) = text.parse::<Size>() {
            prop_assert_eq!(size.to_string().parse(), Ok(size));
        }
    }
}
