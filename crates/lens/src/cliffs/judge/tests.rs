use super::*;
use crate::cliffs::Kind;

fn load(now: f64) -> Load {
    Load { unit: "requests per second", short: "req/s", now, rows: Vec::new(), mix: vec![now] }
}

fn at(value: f64) -> Outlook {
    Outlook::AtLoad(Range { value, low: value * 0.9, high: value * 1.1, confidence: 0.9 })
}

fn finding(kind: Kind, outlook: Outlook) -> Finding {
    Finding {
        kind,
        resource: "shop".into(),
        what: format!("the {} of `shop` ends", kind.as_str()),
        used: Some(1.0),
        limit: Some(2.0),
        unit: "things",
        outlook,
        pressing: None,
        evidence: Vec::new(),
    }
}

struct Bench {
    judge: Judge,
    start: Instant,
}

impl Bench {
    fn new() -> Self {
        let start = Instant::now();
        Self { judge: Judge::new(start), start }
    }

    fn judge(&mut self, second: u64, now: f64, findings: Vec<Finding>) -> (Cliffs, Vec<Change>) {
        let at = Duration::from_secs(second);
        self.judge.judge(Some(&load(now)), findings, (self.start + at, SystemTime::UNIX_EPOCH + at))
    }
}

#[test]
fn the_nearest_comes_first_and_is_told_in_a_sentence() {
    let findings = vec![
        finding(Kind::Cpu, at(900.0)),
        finding(Kind::Locks, Outlook::NoneInSight("nobody waits".into())),
        finding(Kind::Network, Outlook::CannotTell("needs more load".into())),
        finding(Kind::ConnectionPool, at(412.3)),
    ];
    let (cliffs, _) = Bench::new().judge(0, 190.0, findings);
    assert_eq!(cliffs.nearest.as_deref(), Some("connection_pool:shop"));
    assert_eq!(
        cliffs.cliffs[0].text,
        "the connection_pool of `shop` ends at 412 req/s (371–454); you are at 190 req/s"
    );
    assert_eq!(cliffs.summary, format!("all is well: {}", cliffs.cliffs[0].text));
    assert!((cliffs.cliffs[0].headroom.unwrap() - 2.17).abs() < 0.01);
    let order: Vec<Kind> = cliffs.cliffs.iter().map(|cliff| cliff.kind).collect();
    assert_eq!(order, [Kind::ConnectionPool, Kind::Cpu, Kind::Locks, Kind::Network]);
    assert_eq!(cliffs.cliffs[3].level, Level::Unknown);
}

#[test]
fn what_happens_now_goes_before_any_forecast() {
    let mut pressing = finding(Kind::Locks, Outlook::CannotTell("x".into()));
    pressing.pressing = Some("7 sessions wait".into());
    let (cliffs, _) = Bench::new().judge(0, 190.0, vec![finding(Kind::Cpu, at(300.0)), pressing]);
    assert_eq!(cliffs.nearest.as_deref(), Some("locks:shop"));
    assert_eq!(cliffs.summary, "the locks of `shop` ends: 7 sessions wait; you are at 190 req/s");
}

#[test]
fn levels_do_not_flap() {
    let mut bench = Bench::new();
    bench.judge(0, 100.0, vec![finding(Kind::Cpu, at(400.0))]);
    let mut changes = Vec::new();
    // To and fro around the threshold of "near", every five seconds.
    for step in 1..100_u64 {
        let now = if step.is_multiple_of(2) { 315.0 } else { 325.0 };
        changes.extend(bench.judge(5 * step, now, vec![finding(Kind::Cpu, at(400.0))]).1);
    }
    let levels: Vec<Level> = changes.iter().map(|change| change.cliff.level).collect();
    assert!(levels.len() <= 2, "{levels:?}");
}

#[test]
fn a_rise_is_told_within_seconds_and_a_fall_later() {
    let mut bench = Bench::new();
    let told = |bench: &mut Bench, second, now| bench.judge(second, now, vec![finding(Kind::Cpu, at(400.0))]);
    told(&mut bench, 0, 100.0);
    told(&mut bench, 5, 350.0);
    let (cliffs, changes) = told(&mut bench, 10, 350.0);
    assert_eq!(cliffs.cliffs[0].level, Level::Near);
    assert_eq!((changes[0].was, changes[0].cliff.level), (Level::Clear, Level::Near));
    assert_eq!(cliffs.cliffs[0].since, "1970-01-01T00:00:10Z");
    for second in [15, 20, 25, 30] {
        assert_eq!(told(&mut bench, second, 100.0).0.cliffs[0].level, Level::Near, "{second}");
    }
    assert_eq!(told(&mut bench, 40, 100.0).0.cliffs[0].level, Level::Clear);
}

#[test]
fn without_anything_it_says_so() {
    let mut bench = Bench::new();
    let cliffs = bench.judge.judge(None, Vec::new(), (bench.start, SystemTime::UNIX_EPOCH)).0;
    assert_eq!(cliffs.summary, "nothing is served yet, so nothing can be told");
    assert_eq!(bench.judge(1, 10.0, Vec::new()).0.summary, "no cliff is in sight");
    let unknown = vec![finding(Kind::Cpu, Outlook::CannotTell("needs more load".into()))];
    assert_eq!(bench.judge(2, 10.0, unknown).0.summary, "cannot tell yet: needs more time or more load");
}
