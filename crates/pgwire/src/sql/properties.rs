//! What holds for every text.

use proptest::prelude::*;

use super::lexer::{Kind, Lexer};
use super::read::Reader;
use super::{Statement, Strings, Verdict, comment_tags, fingerprint, normalise, read, read_with};

/// Tokens that texts are put together from.
const WORDS: &str = "select SELECT insert update delete with set SET reset local session role time zone names temp \
    table into from as hold cursor for declare create begin end commit rollback to atomic function prepare execute \
    deallocate all listen notify copy stdin do call values in array default discard explain set_config pg_temp pg_advisory_lock \
    dblink_connect language merge uescape pg_settings a t x true null 1 2.5 1e5 $1 'a' U&'x' B'1' $q$'$q$ \"a\" \
    \"set_config\" U&\"set\\005fconfig\" ( ) ( ) [ ] , . :: ; ; = - * <> ||";
const STRINGS: [&str; 3] = ["'; SET a = b; --'", "E'\\'; SET a = b'", "$$ ; SET a = b $$"];

/// What may stand between two tokens without a difference.
const BETWEEN: [&str; 7] = [
    " ",
    "\n",
    "\t\r",
    " /* ; SET a = b; set_config pg_temp */ ",
    " /*/* ' */ $$ */",
    " -- ' ; LISTEN a\n",
    " --\"\r\n",
];

fn all_tokens() -> Vec<&'static str> {
    WORDS.split_ascii_whitespace().chain(STRINGS).collect()
}

fn tokens() -> impl Strategy<Value = Vec<&'static str>> {
    prop::collection::vec(prop::sample::select(all_tokens()), 0..30)
}

/// Tokens after which a string is code, the value of a setting or its name never.
fn without_code() -> impl Strategy<Value = Vec<&'static str>> {
    let code = ["do", "call", "set", "names", "role", "time", "language", "uescape"];
    let is_code = |token: &str| code.contains(&&*token.to_ascii_lowercase()) || token.contains("config");
    let tokens: Vec<_> = all_tokens().into_iter().filter(|token| !is_code(token)).collect();
    prop::collection::vec(prop::sample::select(tokens), 0..30)
}

/// The tokens with something between them. A line end between two strings would make one of them.
fn join(tokens: &[&str], between: &[usize]) -> String {
    let mut text = String::new();
    for (token, between) in tokens.iter().zip(between.iter().cycle()) {
        text.push_str(token);
        let quoted = token.ends_with('\'');
        text.push_str(if quoted { " /* ' */ " } else { BETWEEN[between % BETWEEN.len()] });
    }
    text
}

/// A verdict without the places in the text.
fn placeless(mut verdict: Verdict) -> Verdict {
    for statement in &mut verdict.session {
        if let Statement::Prepare { whole, body, .. } = statement {
            (*whole, *body) = (0..0, 0..0);
        }
    }
    verdict
}

/// Everything is done with a text; what must hold of any is held against it.
fn try_all(text: &[u8]) {
    for strings in [Strings::Standard, Strings::Escapes] {
        let verdict = read_with(text, strings);
        assert_eq!(verdict, Reader::new(text, strings).read(), "at a glance and at length");
        assert!(verdict.transaction.is_none() || (verdict.statements == 1 && verdict.session.is_empty()));
        for statement in &verdict.session {
            if let Statement::Prepare { whole, body, .. } = statement {
                assert!(
                    whole.end == body.end
                        && text.get(whole.clone()).is_some()
                        && text.get(body.clone()).is_some()
                );
            }
        }
        let (mut lexer, mut end) = (Lexer::new(text, strings), 0);
        loop {
            let token = lexer.next();
            assert!(token.start >= end && token.end >= token.start && token.end <= text.len(), "{token:?}");
            if token.kind == Kind::End {
                break;
            }
            assert!(token.end > token.start, "{token:?}");
            end = token.end;
        }
    }
    let normal = normalise(text);
    assert!(normal.len() <= 4 * text.len(), "{normal}");
    let _ = (fingerprint(text), comment_tags(text));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn no_bytes_bring_it_down(text in prop::collection::vec(any::<u8>(), 0..200)) {
        try_all(&text);
    }

    #[test]
    fn no_near_sql_brings_it_down(text in "[-a-gE\\\\'\"$;/*(),.:=0-9 \n&U]{0,60}", tokens in tokens()) {
        try_all(text.as_bytes());
        try_all(tokens.join(&text).as_bytes());
        try_all(tokens.concat().as_bytes());
    }

    #[test]
    fn what_stands_between_tokens_makes_no_difference(
        tokens in tokens(),
        one in prop::collection::vec(any::<usize>(), 30),
        other in prop::collection::vec(any::<usize>(), 30),
    ) {
        let [one, other] = [join(&tokens, &one), join(&tokens, &other)];
        prop_assert_eq!(placeless(read(one.as_bytes())), placeless(read(other.as_bytes())));
        prop_assert_eq!(normalise(one.as_bytes()), normalise(other.as_bytes()));
        prop_assert_eq!(fingerprint(one.as_bytes()), fingerprint(other.as_bytes()));
    }

    #[test]
    fn fingerprints_are_equal_where_normal_texts_are(
        tokens in tokens(),
        at in any::<usize>(),
        other in prop::sample::select(all_tokens()),
    ) {
        let mut changed = tokens.clone();
        if !changed.is_empty() {
            let at = at % changed.len();
            changed[at] = other;
        }
        let [one, other] = [tokens.join(" "), changed.join(" ")];
        let equal = normalise(one.as_bytes()) == normalise(other.as_bytes());
        prop_assert_eq!(fingerprint(one.as_bytes()) == fingerprint(other.as_bytes()), equal, "{} {}", one, other);
    }

    #[test]
    fn what_stands_in_strings_makes_no_difference(tokens in without_code(), inside in "[-a-z;/*()$,\" \n]{0,30}") {
        let strings = |inside: &str| -> Vec<String> {
            tokens.iter().map(|token| if *token == "'a'" { format!("'{inside}'") } else { token.to_string() }).collect()
        };
        let [one, other] = [strings("a").join(" "), strings(&inside).join(" ")];
        prop_assert_eq!(placeless(read(one.as_bytes())), placeless(read(other.as_bytes())));
        prop_assert_eq!(normalise(one.as_bytes()), normalise(other.as_bytes()));
    }

    #[test]
    fn what_an_ordinary_text_is_followed_by_is_seen(tokens in tokens()) {
        let complete = format!("{}\n; SET marker.seen = 1", tokens.join(" "));
        let verdict = read(complete.as_bytes());
        let marker = Statement::Set { name: "marker.seen".to_owned(), value: Some("1".to_owned()) };
        let depth = tokens.iter().fold(0_usize, |depth, token| match *token {
            "(" => depth + 1,
            ")" => depth.saturating_sub(1),
            _ => depth,
        });
        prop_assert!(depth > 0 || verdict.session.last() == Some(&marker), "{} {:?}", complete, verdict);
    }
}

#[test]
fn what_stands_around_uescape_makes_no_difference() {
    let texts = ["U&\"a\" uescape '!'", "U&\"a\"/* */uescape\t\r'!'"];
    let [one, other] = texts.map(|text| normalise(text.as_bytes()));
    assert_eq!((one.as_str(), other), ("U&\"a\" uescape '!'", one.clone()));
}
