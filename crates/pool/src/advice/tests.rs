use super::*;

/// A host of 4 cores and one disk, and a minute of 6,000 transactions that took 20 ms each.
fn known() -> Known {
    Known {
        mode: PoolMode::Transaction,
        size: 20,
        cores: Some(4),
        spindles: 1,
        application_servers: 1,
        minute: Some(Minute {
            seconds: 60.0,
            queries: 6_000,
            transactions: 6_000,
            assignments: 6_000,
            used_seconds: 120.0,
            waited_seconds: 0.0,
        }),
    }
}

fn with(change: impl FnOnce(&mut Minute)) -> Known {
    let mut known = known();
    known.minute.iter_mut().for_each(change_once(change));
    known
}

fn change_once(change: impl FnOnce(&mut Minute)) -> impl FnMut(&mut Minute) {
    let mut change = Some(change);
    move |minute| change.take().into_iter().for_each(|change| change(minute))
}

#[test]
fn what_is_busy_and_its_chance_are_enough() {
    let advice = advise(&known());
    // λ = 100/s, W = 20 ms, L = 2; 2 + 1.645·√2 = 4.33.
    assert_eq!((advice.size, advice.current_size), (Some(5), 20));
    let Numbers { handed_out_per_second, held_ms, busy, host_is_good_for, .. } = advice.numbers;
    assert_eq!((handed_out_per_second, held_ms, busy), (Some(100.0), Some(20.0), Some(2.0)));
    assert_eq!(host_is_good_for, Some(9));
    assert_eq!(
        advice.sentence,
        "5 are enough: in the busiest minute 100.0 connections a second were handed out and held for 20.00 ms, so that 2.0 \
         are busy on average (L = λ·W), and 5 would be in 19 moments of 20; its host is good for 9 at once ((2 × 4 cores) \
         + 1 spindle)"
    );
}

#[test]
fn those_who_wait_want_a_connection_too() {
    // L = 2 and 60/60 = 1 waiting: 3 + 1.645·√3 = 5.85.
    let advice = advise(&with(|minute| minute.waited_seconds = 60.0));
    assert_eq!(
        (advice.size, advice.numbers.waiting, advice.numbers.wait_ms),
        (Some(6), Some(1.0), Some(10.0))
    );
    assert!(advice.sentence.contains("while 1.0 clients wait"), "{}", advice.sentence);
}

#[test]
fn never_more_than_the_host_is_good_for_without_saying_so() {
    // L = 9 and 7 waiting: 16 + 1.645·4 = 22.58, the host is good for 9.
    let busy = with(|minute| (minute.used_seconds, minute.waited_seconds) = (540.0, 420.0));
    let advice = advise(&busy);
    assert_eq!((advice.size, advice.numbers.wanted), (Some(9), Some(23)));
    assert!(advice.sentence.starts_with("9, and the database is the limit"), "{}", advice.sentence);
}

#[test]
fn application_servers_share_the_host() {
    let advice = advise(&Known { application_servers: 3, ..known() });
    assert_eq!((advice.size, advice.numbers.share), (Some(3), Some(3)));
    assert!(advice.sentence.contains("3 for each of 3 application servers"), "{}", advice.sentence);
    let many = advise(&Known { application_servers: 50, ..known() });
    assert_eq!(many.size, Some(1), "nobody can do with less");
}

#[test]
fn without_the_numbers_there_is_no_advice() {
    let no = |known: &Known, missing: &str| {
        let advice = advise(known);
        assert_eq!(advice.size, None, "{}", advice.sentence);
        assert!(
            advice.sentence.starts_with("no advice: ") && advice.sentence.contains(missing),
            "{}",
            advice.sentence
        );
    };
    no(&Known { cores: None, ..known() }, "server_cores is not set");
    no(&Known { minute: None, ..known() }, "nothing has been measured");
    no(&with(|minute| minute.transactions = 999), "999 transactions");
    no(&with(|minute| minute.seconds = 30.0), "too few");
    no(&Known { mode: PoolMode::Session, ..known() }, "session mode");
    let nothing = Known { cores: None, minute: None, ..known() };
    no(&nothing, "server_cores");
    no(&nothing, "measured");
}

#[test]
fn an_idle_minute_is_not_divided_by() {
    let idle = with(|minute| (minute.assignments, minute.used_seconds) = (0, 0.0));
    let advice = advise(&idle);
    assert_eq!((advice.size, advice.numbers.held_ms), (None, None));
}
