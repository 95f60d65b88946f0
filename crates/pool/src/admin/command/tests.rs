use super::*;

fn plain(word: &str, argument: &str) -> Result<Command, String> {
    Ok(Command::Plain { word: word.into(), argument: argument.into() })
}

fn set(key: &str, value: &str) -> Result<Command, String> {
    Ok(Command::Set { key: key.into(), value: value.into() })
}

#[test]
fn a_command_is_a_word_and_perhaps_another() {
    for (text, expected) in [
        ("SHOW POOLS", plain("show", "POOLS")),
        ("\n show\tpools \r\n; ", plain("show", "pools")),
        ("reload;", plain("reload", "")),
        ("\"show\" \"stats\"", plain("show", "stats")),
        ("PAUSE \"my \"\"db\"\"\"", plain("pause", "my \"db\"")),
        ("PAUSE\"x\"", Err(invalid("PAUSE\"x\""))),
        ("kill_client 12", plain("kill_client", "12")),
    ] {
        assert_eq!(Command::read(text), expected, "{text}");
    }
}

#[test]
fn a_setting_has_a_bare_word_or_a_text_for_a_value() {
    for (text, expected) in [
        ("SET verbose=2", set("verbose", "2")),
        ("set  Query_Timeout TO 'a ''b'' c' ;", set("Query_Timeout", "a 'b' c")),
        ("SET verbose TO\"2\"", set("verbose", "2")),
        ("SET a = ''", set("a", "")),
        ("SET a", plain("set", "a")),
        ("SET \"\" = 1", Err("bad arguments".into())),
        ("SET query_timeout = 1.5", Err(invalid("SET query_timeout = 1.5"))),
        ("SET a = 'b", Err(invalid("SET a = 'b"))),
    ] {
        assert_eq!(Command::read(text), expected, "{text}");
    }
}

#[test]
fn all_else_is_no_command() {
    let texts = [
        "",
        ";",
        "SELECT version()",
        "show stats; show pools",
        "PAUSE a b",
        "SHOW POOLS;;",
        "\"a",
        "é",
        "SHOW é",
    ];
    for text in texts {
        assert_eq!(Command::read(text), Err(invalid(text)), "{text}");
    }
}

#[test]
fn what_is_too_long_is_refused() {
    let long = |n: usize| "x".repeat(n);
    let read = |text: String| Command::read(&text).map(|_| ());
    let bad = Err("bad arguments".to_owned());
    assert_eq!(read(long(15)), Ok(()));
    assert_eq!(read(long(16)), bad);
    assert_eq!(read(format!("show {}", long(63))), Ok(()));
    assert_eq!(read(format!("show {}", long(64))), bad);
    assert_eq!(read(format!("set a='{}'", long(255))), Ok(()));
    assert_eq!(read(format!("set a='{}'", long(256))), bad);
    assert!(Command::read(&"(".repeat(4_000)).unwrap_err().len() < 1_100);
}
