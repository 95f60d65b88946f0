//! What the demo shows: on a terminal a table that is drawn anew every second below the story so far, elsewhere
//! a line now and then.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use crate::table::{Align, Table, bytes, count, counted, latency, share};
use crate::terminal::{DIM, GREEN, Paint, RED, YELLOW, bar, is_capable, put, size};

/// Rows a terminal needs for the table to stay in view.
const ROWS_NEEDED: usize = 18;
/// Cells of the bar that shows a share.
const BAR: usize = 10;

/// The keys.
pub(super) const MENU: [&str; 2] = [
    "1 2 3 kill/revive  s slow down  b break  o overload  r reload",
    "f flash sale  a advice  c crowd  p new price  q quit",
];

/// Everything shown at one moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct View {
    /// Since the start.
    pub elapsed: Duration,
    pub finished_per_second: f64,
    pub failed_per_second: f64,
    pub p50: Option<Duration>,
    pub p95: Option<Duration>,
    pub p99: Option<Duration>,
    pub in_flight: u64,
    /// Requests since the start.
    pub finished: u64,
    /// Failed ones since the start.
    pub failed: u64,
    pub cache: CacheView,
    /// What guards the shop.
    pub guards: Option<GuardView>,
    /// The pool in front of the database, where there is one and somebody has connected.
    pub pool: Option<PoolView>,
    /// What is left of the flash sale.
    pub sale: Option<Duration>,
    pub instances: Vec<InstanceView>,
}

/// What the cache does.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct CacheView {
    /// Its part of the recent answers, 0 to 1.
    pub hit_ratio: Option<f64>,
    /// Requests that reached an instance, per second.
    pub reached_per_second: f64,
    pub objects: u64,
    pub bytes: u64,
}

/// What the limit, its waiting room and the breaker do.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct GuardView {
    /// Requests that may be with the shop, and that are.
    pub limit: u64,
    pub in_flight: u64,
    /// Those that wait, by priority.
    pub waiting: BTreeMap<String, u64>,
    /// Those refused because too many wait, per second.
    pub turned_away_per_second: f64,
    /// Whether the queue is a standing one.
    pub overloaded: bool,
    /// The state of the breaker of the whole shop.
    pub breaker: String,
}

impl GuardView {
    /// `12 waiting (9 low, 3 normal)`
    fn waiting(&self) -> String {
        let present = self.waiting.iter().filter(|(_, waiting)| **waiting > 0);
        let parts: Vec<String> = present.map(|(priority, waiting)| format!("{waiting} {priority}")).collect();
        let all: u64 = self.waiting.values().sum();
        if parts.is_empty() { "0 waiting".into() } else { format!("{all} waiting ({})", parts.join(", ")) }
    }
}

/// What the pool does.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct PoolView {
    /// Connections of the shop.
    pub clients: u64,
    /// Those of them that wait for a connection to the database.
    pub waiting: u64,
    /// Connections to the database in use, and how many there may be.
    pub busy: u64,
    pub size: u64,
    /// How long 99 of 100 waited at most, in the last seconds.
    pub wait_p99: Option<Duration>,
    /// Queries refused since the start.
    pub refused: u64,
}

/// One line of the table.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct InstanceView {
    pub name: String,
    pub address: SocketAddr,
    /// What the edge thinks of it.
    pub state: &'static str,
    /// Whether the edge sends it requests.
    pub serves: bool,
    /// Why, or what was done to it.
    pub note: String,
    /// Part of the recent answers, 0 to 1.
    pub share: f64,
    pub in_flight: u32,
}

/// Standard output.
pub(super) struct Screen {
    live: bool,
    paint: Paint,
    /// Lines of the table on the screen now.
    drawn: usize,
}

impl Screen {
    /// Whatever standard output is good for.
    pub(super) fn new() -> Self {
        let tall = size().1.is_none_or(|rows| rows >= ROWS_NEEDED);
        Self { live: is_capable() && tall, paint: Paint::new(), drawn: 0 }
    }

    /// Whether a table is drawn over and over.
    pub(super) fn is_live(&self) -> bool {
        self.live
    }

    /// Appends a line that stays.
    pub(super) fn tell(&mut self, line: &str) -> io::Result<()> {
        let text = format!("{}{line}\n", self.erased());
        put(&text)
    }

    /// Appends a line of the story.
    pub(super) fn happened(&mut self, elapsed: Duration, sentence: &str, bad: bool) -> io::Result<()> {
        let sentence = if bad { self.paint(YELLOW, sentence) } else { sentence.to_owned() };
        self.tell(&format!("  {}  {sentence}", clock(elapsed)))
    }

    /// Shows how things are.
    pub(super) fn show(&mut self, view: &View) -> io::Result<()> {
        if !self.live {
            return put(&format!("{}\n", line(view)));
        }
        let lines = self.lines(view, size().0.unwrap_or(usize::MAX));
        // Lines that do not fit are cut, not wrapped: the count of lines must hold.
        let text = format!("{}\x1b[?7l{}\x1b[?7h\n", self.erased(), lines.join("\n"));
        self.drawn = lines.len();
        put(&text)
    }

    /// Leaves the table where it is: somebody else has written below it.
    pub(super) fn leave(&mut self) {
        self.drawn = 0;
    }

    /// Takes the table away.
    pub(super) fn clear(&mut self) -> io::Result<()> {
        let text = self.erased();
        put(&text)
    }

    /// The characters that take the table away.
    fn erased(&mut self) -> String {
        match std::mem::take(&mut self.drawn) {
            0 => String::new(),
            lines => format!("\x1b[{lines}A\r\x1b[J"),
        }
    }

    fn lines(&self, view: &View, width: usize) -> Vec<String> {
        let mut lines = vec![String::new()];
        lines.extend(self.figures(view));
        let columns = [
            ("instance", Align::Left),
            ("address", Align::Left),
            ("state", Align::Left),
            ("share", Align::Right),
            ("", Align::Left),
            ("in flight", Align::Right),
            ("", Align::Left),
        ];
        let mut table = Table::new(&columns);
        for instance in &view.instances {
            table.row([
                instance.name.clone(),
                instance.address.to_string(),
                instance.state.to_owned(),
                percent(instance.share),
                bar(instance.share, BAR),
                instance.in_flight.to_string(),
                instance.note.clone(),
            ]);
        }
        let mut rows = table.lines(2).into_iter();
        lines.extend(rows.next().map(|head| self.paint(DIM, &head)));
        for (instance, row) in view.instances.iter().zip(rows) {
            let colour = if instance.serves { GREEN } else { RED };
            let row: String = row.chars().take(width).collect();
            lines.push(row.replacen(instance.state, &self.paint(colour, instance.state), 1));
        }
        lines.extend(MENU.iter().map(|keys| format!("  {}", self.paint(DIM, keys))));
        lines
    }

    fn figures(&self, view: &View) -> Vec<String> {
        let failed = format!("{:.1} failed/s", view.failed_per_second);
        let failed = if view.failed_per_second > 0.0 { self.paint(RED, &failed) } else { failed };
        let sale = view.sale.map(|left| format!("   flash sale, {:.0} s left", left.as_secs_f64().ceil()));
        let sale = self.paint(YELLOW, &sale.unwrap_or_default());
        let flow = format!(
            "  {}  {:.0} requests/s, {failed}   {} in all, {} failed{sale}",
            clock(view.elapsed),
            view.finished_per_second,
            count(view.finished),
            count(view.failed)
        );
        let latencies = format!(
            "         p50 {}   p95 {}   p99 {}   {} in flight",
            ms(view.p50),
            ms(view.p95),
            ms(view.p99),
            view.in_flight
        );
        let cache = format!(
            "         cache answers {}   {:.0} requests/s reach the shop   {} in {}",
            share(view.cache.hit_ratio),
            view.cache.reached_per_second,
            bytes(view.cache.bytes),
            counted(view.cache.objects, "object")
        );
        let pool = view.pool.as_ref().map(|pool| {
            let waiting = format!("{} waiting", pool.waiting);
            let waiting = if pool.waiting >= pool.size { self.paint(YELLOW, &waiting) } else { waiting };
            let refused = format!("{} refused", count(pool.refused));
            let refused = if pool.refused > 0 { self.paint(RED, &refused) } else { refused };
            format!(
                "         pool {} clients, {waiting}   {} of {} busy   wait p99 {}   {refused}",
                count(pool.clients),
                pool.busy,
                pool.size,
                ms(pool.wait_p99)
            )
        });
        let guards = view.guards.as_ref().map(|guards| self.guards(guards));
        [flow, latencies, cache].into_iter().chain(guards).chain(pool).collect()
    }

    fn guards(&self, guards: &GuardView) -> String {
        let waiting = guards.waiting();
        let waiting = if guards.overloaded { self.paint(YELLOW, &waiting) } else { waiting };
        let refused = format!("{:.0}/s refused", guards.turned_away_per_second);
        let refused = if guards.turned_away_per_second > 0.0 { self.paint(RED, &refused) } else { refused };
        let breaker = match guards.breaker.as_str() {
            "closed" => guards.breaker.clone(),
            "open" => self.paint(RED, &guards.breaker),
            _ => self.paint(YELLOW, &guards.breaker),
        };
        let GuardView { limit, in_flight, .. } = guards;
        format!("         limit {limit}, {in_flight} in flight, {waiting}   {refused}   breaker {breaker}")
    }

    fn paint(&self, colour: &str, text: &str) -> String {
        self.paint.paint(colour, text)
    }
}

/// Everything in one line.
fn line(view: &View) -> String {
    let mut line = format!(
        "  {}  {:.0} requests/s, {:.1} failed/s, p50 {}, p95 {}, p99 {}, {} in flight, {} in all, {} failed, \
         cache {}, {:.0}/s reach the shop;",
        clock(view.elapsed),
        view.finished_per_second,
        view.failed_per_second,
        ms(view.p50),
        ms(view.p95),
        ms(view.p99),
        view.in_flight,
        count(view.finished),
        count(view.failed),
        share(view.cache.hit_ratio),
        view.cache.reached_per_second
    );
    let instances = view.instances.iter().map(|instance| {
        let InstanceView { name, state, share, .. } = instance;
        format!(" {name} {state} {}", percent(*share))
    });
    line.push_str(&instances.collect::<Vec<_>>().join(","));
    if let Some(guards) = &view.guards {
        let GuardView { limit, in_flight, breaker, .. } = guards;
        let (waiting, refused) = (guards.waiting(), guards.turned_away_per_second);
        line.push_str(&format!(
            "; limit {limit}, {in_flight} in flight, {waiting}, {refused:.0}/s refused, breaker {breaker}"
        ));
    }
    if let Some(PoolView { clients, waiting, busy, size, wait_p99, refused }) = &view.pool {
        line.push_str(&format!(
            "; pool {busy} of {size} busy, {waiting} of {clients} clients waiting, wait p99 {}, {} refused",
            ms(*wait_p99),
            count(*refused)
        ));
    }
    line
}

/// `1:05`
fn clock(elapsed: Duration) -> String {
    let seconds = elapsed.as_secs();
    format!("{:2}:{:02}", seconds / 60, seconds % 60)
}

fn ms(duration: Option<Duration>) -> String {
    latency(duration.map(|duration| duration.as_secs_f64() * 1e3))
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view() -> View {
        let instance = |name: &str, port, state, share| InstanceView {
            name: name.into(),
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            state,
            serves: state == "healthy",
            note: String::new(),
            share,
            in_flight: 1,
        };
        View {
            elapsed: Duration::from_secs(65),
            finished_per_second: 40.4,
            failed_per_second: 0.0,
            p50: Some(Duration::from_micros(2_100)),
            p95: Some(Duration::from_millis(12)),
            p99: None,
            in_flight: 2,
            finished: 1_234,
            failed: 0,
            cache: CacheView {
                hit_ratio: Some(0.912),
                reached_per_second: 6.6,
                objects: 48,
                bytes: 312 << 10,
            },
            guards: None,
            pool: None,
            sale: Some(Duration::from_millis(18_200)),
            instances: vec![
                instance("shop-1", 4001, "healthy", 0.75),
                instance("shop-2", 40_002, "killed", 0.25),
            ],
        }
    }

    #[test]
    fn a_line_says_everything() {
        let expected = "   1:05  40 requests/s, 0.0 failed/s, p50 2.1 ms, p95 12 ms, p99 –, 2 in flight, \
                        1,234 in all, 0 failed, cache 91.2 %, 7/s reach the shop; shop-1 healthy 75 %, shop-2 killed 25 %";
        assert_eq!(line(&view()), expected);
    }

    #[test]
    fn the_table_lines_up() {
        let screen = Screen { live: true, paint: Paint { colour: false }, drawn: 0 };
        let expected = "
   1:05  40 requests/s, 0.0 failed/s   1,234 in all, 0 failed   flash sale, 19 s left
         p50 2.1 ms   p95 12 ms   p99 –   2 in flight
         cache answers 91.2 %   7 requests/s reach the shop   312 KiB in 48 objects
  instance  address          state    share              in flight
  shop-1    127.0.0.1:4001   healthy   75 %  ████████░░          1
  shop-2    127.0.0.1:40002  killed    25 %  ███░░░░░░░          1
  1 2 3 kill/revive  s slow down  b break  o overload  r reload
  f flash sale  a advice  c crowd  p new price  q quit";
        assert_eq!(screen.lines(&view(), 100).join("\n"), expected);
        assert!(MENU.iter().all(|keys| keys.len() <= 78));
    }

    #[test]
    fn the_guards_have_a_line() {
        let screen = Screen { live: true, paint: Paint { colour: false }, drawn: 0 };
        let waiting =
            [("low", 9), ("critical", 0), ("normal", 3)].map(|(name, n)| (name.to_owned(), n)).into();
        let guards = GuardView {
            limit: 30,
            in_flight: 29,
            waiting,
            turned_away_per_second: 412.4,
            overloaded: true,
            breaker: "half-open".into(),
        };
        let expected =
            "limit 30, 29 in flight, 12 waiting (9 low, 3 normal)   412/s refused   breaker half-open";
        let view = View { guards: Some(guards), ..view() };
        assert_eq!(screen.lines(&view, 100)[4].trim_start(), expected);
        assert!(line(&view).ends_with(&format!("; {}", expected.replace("   ", ", "))), "{}", line(&view));
        assert_eq!(GuardView::default().waiting(), "0 waiting");
    }

    #[test]
    fn the_pool_has_a_line_where_there_is_one() {
        let screen = Screen { live: true, paint: Paint { colour: false }, drawn: 0 };
        let pool = PoolView {
            clients: 1_212,
            waiting: 40,
            busy: 4,
            size: 4,
            wait_p99: Some(Duration::from_millis(171)),
            refused: 12_804,
        };
        let view = View { pool: Some(pool), ..view() };
        let lines = screen.lines(&view, 100);
        assert_eq!(
            lines[4],
            "         pool 1,212 clients, 40 waiting   4 of 4 busy   wait p99 171 ms   12,804 refused"
        );
        assert!(lines[5].starts_with("  instance"));
        let end = "; pool 4 of 4 busy, 40 of 1212 clients waiting, wait p99 171 ms, 12,804 refused";
        assert!(line(&view).ends_with(end), "{}", line(&view));
    }

    #[test]
    fn the_table_is_taken_away_once() {
        let mut screen = Screen { live: true, paint: Paint { colour: true }, drawn: 6 };
        assert_eq!(screen.erased(), "\x1b[6A\r\x1b[J");
        assert_eq!(screen.erased(), "");
        assert!(screen.lines(&view(), 100)[5].contains("\x1b[32mhealthy\x1b[0m"));
    }
}
