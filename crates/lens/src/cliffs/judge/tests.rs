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

fn broken(text: &str) -> Trouble {
    Trouble { text: text.into(), application: None, broken: true }
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
        self.judge.judge(Some(&load(now)), (findings, None), (self.start + at, SystemTime::UNIX_EPOCH + at))
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
    assert_eq!(cliffs.summary, format!("all is well, as far as can be told: {}", cliffs.cliffs[0].text));
    assert!((cliffs.cliffs[0].headroom.unwrap() - 2.17).abs() < 0.01);
    let order: Vec<Kind> = cliffs.cliffs.iter().map(|cliff| cliff.kind).collect();
    assert_eq!(order, [Kind::ConnectionPool, Kind::Cpu, Kind::Locks, Kind::Network]);
    assert_eq!(cliffs.cliffs[3].level, Level::Unknown);
}

#[test]
fn what_is_full_in_a_minute_goes_before_what_ends_at_a_load_that_is_far_away() {
    let in_time =
        |value: f64| Outlook::InTime(Range { value, low: value * 0.9, high: value * 1.1, confidence: 0.9 });
    let findings = || vec![finding(Kind::ConnectionPool, at(700.0)), finding(Kind::Memory, in_time(85.0))];
    let mut bench = Bench::new();
    bench.judge(0, 60.0, findings());
    let (cliffs, _) = bench.judge(5, 60.0, findings());
    assert_eq!(cliffs.nearest.as_deref(), Some("memory:shop"));
    assert!(cliffs.summary.starts_with("the memory of `shop` ends in 85 s"), "{}", cliffs.summary);
    // What is days away does not.
    let far = || vec![finding(Kind::ConnectionPool, at(700.0)), finding(Kind::Memory, in_time(864_000.0))];
    let (cliffs, _) = Bench::new().judge(0, 60.0, far());
    assert!(cliffs.summary.starts_with("all is well: the connection_pool"), "{}", cliffs.summary);
}

#[test]
fn what_happens_now_goes_before_any_forecast() {
    let mut pressing = finding(Kind::Locks, Outlook::CannotTell("x".into()));
    pressing.pressing = Some("7 sessions wait".into());
    let (cliffs, _) = Bench::new().judge(0, 190.0, vec![finding(Kind::Cpu, at(300.0)), pressing]);
    assert_eq!(cliffs.nearest.as_deref(), Some("locks:shop"));
    assert_eq!(cliffs.summary, "the locks of `shop` ends: 7 sessions wait; you are at 190 req/s");
    assert_eq!(
        cliffs.cliffs[0].level,
        Level::Watch,
        "what presses is not clear, even before its level rises"
    );
}

#[test]
fn what_happens_now_is_not_foretold_for_a_higher_load() {
    let pressing = |outlook| Finding { pressing: Some("all wait".into()), ..finding(Kind::Cpu, outlook) };
    let mut bench = Bench::new();
    bench.judge(0, 80.0, vec![finding(Kind::Cpu, at(400.0))]);
    let (cliffs, _) = bench.judge(5, 20.0, vec![pressing(at(400.0))]);
    assert_eq!(
        (cliffs.cliffs[0].at, cliffs.cliffs[0].headroom),
        (None, None),
        "at 20 all wait, so not at 400"
    );
    let (cliffs, _) = bench.judge(10, 20.0, vec![pressing(Outlook::CannotTell("needs more seconds".into()))]);
    assert_eq!(cliffs.cliffs[0].at, None, "nor is what was told before");
    let (cliffs, _) = bench.judge(15, 20.0, vec![pressing(at(21.0))]);
    assert_eq!(cliffs.cliffs[0].at.map(|at| at.load), Some(21.0));
    let (cliffs, _) = bench.judge(20, 90.0, vec![pressing(at(21.0))]);
    assert_eq!(cliffs.cliffs[0].at, None, "at 90 more is served than at 21");
}

/// Cores that are at work harm nobody by themselves, and it may be others who use them.
#[test]
fn of_what_presses_the_cores_of_the_machine_come_last() {
    let pressing = |kind, resource: &str| Finding {
        pressing: Some("all are in use".into()),
        resource: resource.into(),
        ..finding(kind, Outlook::CannotTell("x".into()))
    };
    let findings = vec![pressing(Kind::Cpu, "machine"), pressing(Kind::Memory, "app")];
    let (cliffs, _) = Bench::new().judge(0, 60.0, findings);
    assert_eq!(cliffs.nearest.as_deref(), Some("memory:app"));
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
    let cliffs = bench.judge.judge(None, (Vec::new(), None), (bench.start, SystemTime::UNIX_EPOCH)).0;
    assert_eq!(cliffs.summary, "no load was measured yet, so nothing can be told");
    let silent = || Some(broken("`app` answers nothing"));
    let cliffs = bench.judge.judge(None, (Vec::new(), silent()), (bench.start, SystemTime::UNIX_EPOCH)).0;
    assert_eq!(cliffs.summary, "`app` answers nothing");
    let mut bench = Bench::new();
    assert_eq!(bench.judge(1, 10.0, Vec::new()).0.summary, "no cliff is in sight");
    let unknown = vec![finding(Kind::Cpu, Outlook::CannotTell("needs more load".into()))];
    assert_eq!(bench.judge(2, 10.0, unknown).0.summary, "cannot tell yet: needs more time or more load");
}

#[test]
fn what_presses_is_told_whether_anything_is_served_or_not() {
    let mut bench = Bench::new();
    let mut disk = finding(Kind::Disk, Outlook::NoneInSight("it does not fill".into()));
    disk.pressing = Some("1 % of it is free".into());
    let (cliffs, _) = bench.judge.judge(None, (vec![disk], None), (bench.start, SystemTime::UNIX_EPOCH));
    assert_eq!(cliffs.summary, "the disk of `shop` ends: 1 % of it is free");
}

#[test]
fn not_all_is_well_when_answers_are_late_or_errors() {
    let mut bench = Bench::new();
    let mut told = |second, trouble: Option<&str>| {
        let time = (bench.start + Duration::from_secs(second), SystemTime::UNIX_EPOCH);
        let found = (vec![finding(Kind::Cpu, at(900.0))], trouble.map(broken));
        bench.judge.judge(Some(&load(77.0)), found, time).0.summary
    };
    assert!(told(0, None).starts_with("all is well: "));
    let late = told(5, Some("100 % of answers are errors (5xx)"));
    assert!(late.starts_with("100 % of answers are errors (5xx); the cpu of `shop` ends at 900"), "{late}");
    assert_eq!(told(10, None), late, "it stays for a while");
    assert!(told(40, None).starts_with("all is well: "));
}

#[test]
fn what_cannot_be_told_any_more_keeps_its_level_for_a_while_and_begins_anew_then() {
    let mut bench = Bench::new();
    let pressing = || Finding {
        pressing: Some("all are held".into()),
        ..finding(Kind::ConnectionPool, Outlook::CannotTell("x".into()))
    };
    let unknown = || finding(Kind::ConnectionPool, Outlook::CannotTell("x".into()));
    bench.judge(0, 10.0, vec![pressing()]);
    bench.judge(5, 10.0, vec![pressing()]);
    let mut changes = 0;
    // It comes and goes every five seconds: told once, it stays.
    for second in (10..100).step_by(10) {
        let (cliffs, changed) = bench.judge(second, 10.0, vec![unknown()]);
        assert_eq!((cliffs.cliffs[0].level, cliffs.cliffs[0].state), (Level::Over, "pressing"));
        changes += changed.len();
        changes += bench.judge(second + 5, 10.0, vec![pressing()]).1.len();
    }
    assert_eq!(changes, 0);
    for second in [100, 105, 110, 115] {
        assert_eq!(bench.judge(second, 10.0, vec![unknown()]).0.cliffs[0].level, Level::Over, "{second}");
    }
    let (cliffs, changed) = bench.judge(120, 10.0, vec![unknown()]);
    assert_eq!((cliffs.cliffs[0].level, cliffs.cliffs[0].state), (Level::Unknown, "cannot_tell"));
    assert_eq!(changed.len(), 1);
    // What is known again is not what it was before.
    let (cliffs, _) = bench.judge(125, 10.0, vec![finding(Kind::ConnectionPool, at(100.0))]);
    assert_eq!(cliffs.cliffs[0].level, Level::Clear);
}

#[test]
fn a_load_that_has_ended_leaves_no_forecast() {
    let mut bench = Bench::new();
    bench.judge(0, 100.0, vec![finding(Kind::Cpu, at(110.0))]);
    assert_eq!(bench.judge(5, 100.0, vec![finding(Kind::Cpu, at(110.0))]).0.cliffs[0].level, Level::Near);
    let silent = (vec![finding(Kind::Cpu, Outlook::CannotTell("there is no load now".into()))], None);
    let time = (bench.start + Duration::from_secs(10), SystemTime::UNIX_EPOCH);
    let cliffs = bench.judge.judge(None, silent, time).0;
    assert!(cliffs.load.is_none() && cliffs.nearest.is_none() && cliffs.cliffs[0].at.is_none());
    assert_eq!((cliffs.cliffs[0].state, cliffs.cliffs[0].level), ("cannot_tell", Level::Near));
}

#[test]
fn which_is_nearest_does_not_flap() {
    let mut bench = Bench::new();
    let mut nearest = |second, cpu| {
        let found = vec![finding(Kind::Cpu, at(cpu)), finding(Kind::Network, at(500.0))];
        bench.judge(second, 100.0, found).0.nearest.unwrap()
    };
    for second in (0..100).step_by(10) {
        assert_eq!(nearest(second, 490.0), "cpu:shop");
        assert_eq!(nearest(second + 5, 510.0), "cpu:shop");
    }
    for second in [100, 105, 110] {
        assert_eq!(nearest(second, 510.0), "cpu:shop");
    }
    assert_eq!(nearest(120, 510.0), "network:shop");
    // What is worse takes over at once.
    let mut pressing = finding(Kind::Locks, Outlook::CannotTell("x".into()));
    pressing.pressing = Some("7 sessions wait".into());
    let (cliffs, _) = bench.judge(125, 100.0, vec![finding(Kind::Network, at(500.0)), pressing]);
    assert_eq!(cliffs.nearest.as_deref(), Some("locks:shop"));
}
