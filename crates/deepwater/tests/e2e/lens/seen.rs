//! What a person sees of the lens: `deepwater status` and `deepwater top`.

use rustix::process::Signal;
use serde_json::Value;

use super::terminal::OnTerminal;
use crate::support::{Deepwater, Home, LISTEN, Origin, ROUTE, Run, ok, pool, run, soon};

const ENTER: &str = "\x1b[?1049h";
const LEAVE: &str = "\x1b[?7h\x1b[?25h\x1b[?1049l";

/// A Deepwater whose lens has looked.
async fn looked_at() -> (Origin, Deepwater) {
    let origin = Origin::answering(|_| ok("fine")).await;
    let edge = Deepwater::fronting(&origin).await;
    soon("a first verdict", async {
        while edge.json("/api/cliffs").await["load"].is_null() {
            edge.get("/").await;
        }
    })
    .await;
    (origin, edge)
}

async fn asked(edge: &Deepwater, arguments: &[&str]) -> Run {
    let console = format!("http://{}", edge.console);
    run(&edge.home().path(""), &[arguments, &["--console", &console]].concat()).await
}

#[tokio::test]
async fn status_begins_with_the_next_cliff() {
    let (_origin, edge) = looked_at().await;
    let page = asked(&edge, &["status"]).await;
    assert_eq!(page.code, Some(0), "{page:?}");
    let (verdict, rest) = page.stdout.split_once("\n\n").unwrap();
    assert!(rest.starts_with("Deepwater "), "{rest}");
    let sentence = verdict.lines().next().unwrap();
    assert!(sentence.starts_with(char::is_uppercase) && sentence.ends_with('.'), "{sentence}");
    let answers = ["Do next: ", "ou need nothing now", "othing to advise"];
    assert!(answers.iter().any(|answer| verdict.contains(answer)), "{verdict}");

    let json = asked(&edge, &["status", "--json"]).await;
    let json: Value = serde_json::from_str(&json.stdout).unwrap();
    assert!(!json["cliffs"]["cliffs"].as_array().unwrap().is_empty());
    assert!(json["advice"]["summary"].is_string(), "{}", json["advice"]);
}

#[tokio::test]
async fn without_the_lens_status_is_as_ever_and_top_says_why_there_is_nothing() {
    let origin = Origin::answering(|_| ok("fine")).await;
    let off = "[lens]\nenabled = false\n";
    let edge = Deepwater::start(&format!("{LISTEN}{ROUTE}{}{off}", pool("app", &[origin.address]))).await;
    let page = asked(&edge, &["status"]).await;
    assert!(page.stdout.starts_with("Deepwater "), "{}", page.stdout);
    let top = asked(&edge, &["top", "--once"]).await;
    assert_eq!((top.code, top.stdout.as_str()), (Some(1), ""));
    assert!(top.stderr.contains("the lens is off") && top.stderr.contains("fix:"), "{}", top.stderr);
}

#[tokio::test]
async fn top_prints_a_block_once_or_each_interval() {
    let (_origin, mut edge) = looked_at().await;
    let block = asked(&edge, &["top", "--once"]).await;
    assert_eq!((block.code, block.stderr.as_str()), (Some(0), ""));
    for part in ["Deepwater ", "\n  load ", "requests per second", "\nCliff ", "\nRoute ", "\n/* "] {
        assert!(block.stdout.contains(part), "{part:?} is missing in\n{}", block.stdout);
    }
    assert!(!block.stdout.contains('\x1b'), "no colours where there is no terminal");

    let console = format!("http://{}", edge.console);
    let mut top = Deepwater::launch(Home::new(), &["top", "--interval", "100ms", "--console", &console]);
    top.printed_line("Deepwater ").await;
    edge.terminate();
    edge.ends().await;
    top.printed_line("no console answers").await;
    top.terminate();
    assert_eq!(top.ends().await, Some(0));

    let hasty = run(&Home::new().path(""), &["top", "--interval", "1ms"]).await;
    assert_eq!(hasty.code, Some(2), "{hasty:?}");
}

#[tokio::test]
async fn top_is_drawn_in_its_place_and_leaves_the_terminal_as_it_was() {
    let (_origin, edge) = looked_at().await;
    let console = format!("http://{}", edge.console);
    let mut top = OnTerminal::run(&["top", "--console", &console], (44, 12));
    let shown = top.shows("q quit").await;
    assert!(shown.contains(ENTER) && top.hands_over_keys(), "{shown:?}");
    top.press("p");
    let shown = top.shows("paused").await;
    for line in shown.split("\x1b[H").skip(1).flat_map(|frame| frame.split("\r\n")) {
        let seen = without_escapes(line.trim_end_matches('\r'));
        assert!(seen.chars().count() <= 44, "{seen:?}");
    }
    assert!(shown.contains('…'), "what does not fit is cut: {shown:?}");
    top.press("p\x1b[B");
    top.shows("1 above").await;
    top.press("q");
    assert_eq!(top.ends().await, Some(0));
    top.shows(LEAVE).await;
    assert!(top.is_as_before());
}

#[tokio::test]
async fn top_gives_the_terminal_back_when_it_is_ended_or_stopped() {
    let (_origin, edge) = looked_at().await;
    let console = format!("http://{}", edge.console);
    let mut top = OnTerminal::run(&["top", "--console", &console], (100, 30));
    top.shows("q quit").await;
    top.signal(Signal::TSTP);
    let shown = top.shows(LEAVE).await;
    soon("it to stop", async {
        while !top.is_stopped() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(top.is_as_before());

    top.signal(Signal::CONT);
    top.shows_after(shown.len(), ENTER).await;
    let shown = top.shows_after(shown.len(), "q quit").await;
    assert!(top.hands_over_keys());
    top.signal(Signal::TERM);
    assert_eq!(top.ends().await, Some(0));
    top.shows_after(shown.len(), LEAVE).await;
    assert!(top.is_as_before());
}

#[tokio::test]
async fn top_shows_old_facts_as_such_when_the_console_has_gone() {
    let (_origin, mut edge) = looked_at().await;
    let console = format!("http://{}", edge.console);
    let mut top = OnTerminal::run(&["top", "--console", &console, "--interval", "100ms"], (100, 30));
    top.shows("q quit").await;
    edge.terminate();
    edge.ends().await;
    top.shows("Old facts: no console answers").await;
    top.press("\x03");
    assert_eq!(top.ends().await, Some(0), "Ctrl-C");
    assert!(top.is_as_before());
}

/// Text without what commands the terminal.
fn without_escapes(line: &str) -> String {
    let mut parts = line.split("\x1b[");
    let first = parts.next().unwrap_or_default().to_owned();
    let rest = parts
        .map(|part| part.trim_start_matches(|c: char| !c.is_ascii_alphabetic()).get(1..).unwrap_or_default());
    first + &rest.collect::<String>()
}
