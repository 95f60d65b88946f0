//! What is shown, as lines: a head that stays, and a body that scrolls.

use std::time::Duration;

use super::figures::{Figures, Pool, Route};
use super::view::View;
use super::way::Way;
use crate::seen::{Advised, Cliff, Cliffs, Level, amount, clean, number};
use crate::table::{Align, Table, lasting, latency};
use crate::terminal::{DIM, GREEN, RED, YELLOW};

/// Cells of the bar, at most and at least.
const BAR: (usize, usize) = (60, 10);

/// A line and its colour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub text: String,
    pub colour: Option<&'static str>,
}

/// All lines.
pub(super) struct Page {
    /// Stays.
    pub head: Vec<Line>,
    /// Scrolls.
    pub body: Vec<Line>,
}

impl Line {
    pub(super) fn new(text: impl Into<String>, colour: Option<&'static str>) -> Self {
        Self { text: text.into(), colour }
    }

    /// Cut to so many columns, with an ellipsis where something is missing.
    pub(super) fn cut(self, width: usize) -> Self {
        if self.text.chars().count() <= width {
            return self;
        }
        let mut text: String = self.text.chars().take(width.saturating_sub(1)).collect();
        text.push('…');
        Self { text: text.chars().take(width).collect(), ..self }
    }
}

impl Page {
    /// Of a terminal with so many columns.
    pub(super) fn of(view: &View, width: usize) -> Self {
        let mut body = cliffs(&view.cliffs);
        body.extend(section(advice(&view.advised)).skip(usize::from(body.is_empty())));
        body.extend(section(pools(&view.figures.pools)));
        body.extend(section(routes(&view.figures.routes)));
        let cut = |lines: Vec<Line>| lines.into_iter().map(|line| line.cut(width)).collect();
        Self { head: cut(head(view, width)), body: cut(body) }
    }
}

/// What each level looks like; the word stands beside it always.
fn colour(level: Level) -> Option<&'static str> {
    match level {
        Level::Unknown => Some(DIM),
        Level::Clear => Some(GREEN),
        Level::Watch => None,
        Level::Near => Some(YELLOW),
        Level::Over => Some(RED),
    }
}

fn head(view: &View, width: usize) -> Vec<Line> {
    let View { status, cliffs, figures, .. } = view;
    // A clock that went backwards shows as just started.
    let uptime = Duration::try_from_secs_f64(status.uptime_seconds).unwrap_or_default();
    let title = format!(
        "Deepwater {}, {} for {}, process {}",
        status.version,
        status.phase,
        lasting(uptime),
        status.pid
    );
    let nearest = cliffs.nearest();
    let level = nearest.map_or(Level::Unknown, |cliff| cliff.level);
    // Where none is in sight, only the sentence tells whether that is known.
    let calm = matches!(level, Level::Unknown | Level::Clear);
    let tint = match &cliffs.trouble {
        Some(_) if calm => Some(YELLOW),
        _ if nearest.is_some() => colour(level),
        _ => None,
    };
    let mut lines = vec![Line::new(clean(&title), Some(DIM)), Line::new(cliffs.verdict(), tint)];
    if let Some(way) = nearest.and_then(|cliff| Way::to(cliff, cliffs)) {
        let cells = width.saturating_sub(12).clamp(BAR.1, BAR.0);
        lines.push(Line::new(format!("  {:<8}{}", level.as_str(), way.bar(cells)), tint));
        lines.push(Line::new(format!("          {}", way.words()), Some(DIM)));
    }
    lines.extend(load(cliffs, figures));
    lines.push(Line::new("", None));
    lines
}

/// What is served and how fast.
fn load(cliffs: &Cliffs, Figures { all, connections, .. }: &Figures) -> Vec<Line> {
    let Some(load) = &cliffs.load else { return Vec::new() };
    let unit = load.unit.replacen("s per", &format!("{} per", plural(Some(load.value))), 1);
    let mut parts = vec![format!("{} {unit}", number(load.value))];
    if all.requests.is_some() {
        let errors = all.errors.unwrap_or_default();
        parts.push(format!("{} failed", per_second(Some(errors))));
        parts.push(format!("{} in flight", figure(all.in_flight)));
        parts.push(format!("{} connection{}", figure(*connections), plural(*connections)));
    }
    let tint = all.errors.filter(|errors| *errors > 0.0).map(|_| RED);
    let mut lines = vec![Line::new(format!("  load    {}", parts.join("   ")), tint)];
    if all.mean.is_some() || all.p95.is_some() {
        let took = format!("  took    mean {}   95 % within {}", seconds(all.mean), seconds(all.p95));
        lines.push(Line::new(took, None));
    }
    lines
}

fn cliffs(cliffs: &Cliffs) -> Vec<Line> {
    let rows = cliffs.cliffs.iter().map(|cliff| {
        let Cliff { level, resource, text, .. } = cliff;
        let level_word = level.as_str().to_owned();
        let cells = [cliff.kind(), clean(resource), level_word, cliff.reached(), cliff.in_use(), clean(text)];
        (cells, colour(*level))
    });
    let columns = [
        ("Cliff", Align::Left),
        ("resource", Align::Left),
        ("level", Align::Left),
        ("reached at", Align::Left),
        ("in use", Align::Left),
        ("in words", Align::Left),
    ];
    table(&columns, rows)
}

fn advice(advised: &Advised) -> Vec<Line> {
    let lines = advised.lines().into_iter().enumerate();
    lines.map(|(at, text)| Line::new(text, (at > 1).then_some(DIM))).collect()
}

fn pools(pools: &[Pool]) -> Vec<Line> {
    let columns = [
        ("Pool", Align::Left),
        ("busy", Align::Right),
        ("size", Align::Right),
        ("waiting", Align::Right),
        ("wait p95", Align::Right),
        ("held", Align::Right),
        ("transactions", Align::Right),
        ("refused", Align::Right),
    ];
    let rows = pools.iter().map(|pool| {
        let cells = [
            clean(&pool.name),
            figure(pool.busy),
            figure(pool.size),
            figure(pool.waiting),
            seconds(pool.wait_p95),
            seconds(pool.hold),
            per_second(pool.transactions),
            per_second(pool.refused),
        ];
        let refused = pool.refused.filter(|refused| *refused > 0.0).map(|_| RED);
        (cells, refused.or(pool.waiting.filter(|waiting| *waiting >= 1.0).map(|_| YELLOW)))
    });
    table(&columns, rows)
}

fn routes(routes: &[Route]) -> Vec<Line> {
    let columns = [
        ("Route", Align::Left),
        ("requests", Align::Right),
        ("failed", Align::Right),
        ("in flight", Align::Right),
        ("mean", Align::Right),
        ("p95", Align::Right),
    ];
    let rows = routes.iter().map(|route| {
        let cells = [
            clean(&route.name),
            per_second(route.requests),
            per_second(route.errors),
            figure(route.in_flight),
            seconds(route.mean),
            seconds(route.p95),
        ];
        (cells, route.errors.filter(|errors| *errors > 0.0).map(|_| RED))
    });
    table(&columns, rows)
}

/// Rows under a head; nothing without rows.
fn table<const N: usize>(
    columns: &[(&str, Align); N],
    rows: impl Iterator<Item = ([String; N], Option<&'static str>)>,
) -> Vec<Line> {
    let mut table = Table::new(columns);
    let mut colours = vec![Some(DIM)];
    for (cells, colour) in rows {
        table.row(cells);
        colours.push(colour);
    }
    if colours.len() == 1 {
        return Vec::new();
    }
    table.lines(0).into_iter().zip(colours).map(|(text, colour)| Line { text, colour }).collect()
}

/// Set off by an empty line, if there is anything.
fn section(lines: Vec<Line>) -> impl Iterator<Item = Line> {
    let gap = (!lines.is_empty()).then(|| Line::new("", None));
    gap.into_iter().chain(lines)
}

/// The ending of a noun after a number as it is shown.
fn plural(value: Option<f64>) -> &'static str {
    if value.map(number).as_deref() == Some("1") { "" } else { "s" }
}

fn figure(value: Option<f64>) -> String {
    value.map_or("–".into(), number)
}

fn per_second(value: Option<f64>) -> String {
    value.map_or("–".into(), |value| amount(value, "per second"))
}

fn seconds(value: Option<f64>) -> String {
    latency(value.map(|value| value * 1e3))
}

#[cfg(test)]
pub(super) mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::seen::tests;
    use crate::top::view::Status;

    pub(in super::super) fn view() -> View {
        let route = |name: &str, requests| Route {
            name: name.into(),
            requests: Some(requests),
            errors: Some(0.0),
            in_flight: Some(2.0),
            mean: Some(0.0021),
            p95: None,
        };
        let pool = Pool {
            name: "shop/web".into(),
            busy: Some(2.5),
            size: Some(4.0),
            waiting: Some(3.0),
            transactions: Some(250.0),
            ..Pool::default()
        };
        View {
            status: Status { version: "0.1.0".into(), pid: 7, uptime_seconds: 65.5, phase: "running".into() },
            cliffs: Cliffs::deserialize(tests::cliffs()).unwrap(),
            advised: Advised::deserialize(tests::advice()).unwrap(),
            figures: Figures {
                all: Route { p95: Some(0.0424), ..route("", 250.0) },
                connections: Some(8.0),
                routes: vec![route("/*", 200.0), route("gr\u{7}öße", 50.0)],
                pools: vec![pool],
            },
        }
    }

    fn text(lines: &[Line]) -> String {
        lines.iter().map(|line| line.text.clone() + "\n").collect()
    }

    #[test]
    fn the_page_lines_up() {
        let Page { head, body } = Page::of(&view(), usize::MAX);
        let expected = "\
Deepwater 0.1.0, running for 1 min 5 s, process 7
The pool of `shop` is exhausted at 410 req/s (360–470); you are at 250 req/s.
  watch   ██████████████████████████████▌░░░░░░░░░░░░░▒▒▒▒▒▒┃▒▒▒▒▒▒▒░░
          250/s now, the end at 410/s (360/s–470/s): 61 % of the way
  load    250 requests per second   0/s failed   2 in flight   8 connections
  took    mean 2.1 ms   95 % within 42 ms

";
        assert_eq!(text(&head), expected);
        let expected = "\
Cliff            resource  level    reached at                       in use                in words
connection pool  shop/web  watch    410/s (360–470)                  2.5 of 4 connections  it ends
memory           app       near     in 3 d 0 h (2 d 7 h – 4 d 15 h)  1.7 GiB of 3.7 GiB    it ends
cpu              machine   clear    –                                0.4 of 2 cores        it ends
network          link      unknown  –                                361 KiB/s             it ends

Do next: 12 connections for `shop`
  gain        twice the load
  complexity  none
  staleness   none
  money       some memory
  operations  none
  | [postgres.databases.shop]
  | pool_size = 12

Pool      busy  size  waiting  wait p95  held  transactions  refused
shop/web   2.5     4        3         –     –         250/s        –

Route   requests  failed  in flight    mean  p95
/*         200/s     0/s          2  2.1 ms    –
gr�öße      50/s     0/s          2  2.1 ms    –
";
        assert_eq!(text(&body), expected);
        assert_eq!(body[2].colour, Some(YELLOW), "what is near stands out");
        assert_eq!(body[4].colour, Some(DIM), "what is unknown is not green");
    }

    #[test]
    fn a_narrow_terminal_cuts_and_never_wraps() {
        for width in [0, 1, 2, 10, 40, 80] {
            let Page { head, body } = Page::of(&view(), width);
            for line in head.into_iter().chain(body) {
                assert!(line.text.chars().count() <= width, "{width}: {}", line.text);
            }
        }
        assert_eq!(Line::new("größer", None).cut(4).text, "grö…");
        assert_eq!(Line::new("größe", None).cut(5).text, "größe");
    }

    #[test]
    fn without_anything_there_is_little_to_see() {
        let nothing = View {
            status: Status::default(),
            cliffs: Cliffs {
                summary: "no load was measured yet, so nothing can be told".into(),
                ..Cliffs::default()
            },
            advised: Advised::default(),
            figures: Figures::default(),
        };
        let Page { head, .. } = Page::of(&nothing, 80);
        assert_eq!(head[1].text, "No load was measured yet, so nothing can be told.");
        assert_eq!((head[1].colour, head.len()), (None, 3));
    }
}
