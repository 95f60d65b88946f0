use super::*;
use crate::testing::{Machine, second, stat_line};
use crate::unknown::Why;

fn nanos_line(cpu: Duration, delay: Duration) -> String {
    format!("{} {} 5\n", cpu.as_nanos(), delay.as_nanos())
}

/// A process with so many threads, each with a second of CPU time and no delay.
fn with_threads(machine: &Machine, pid: u32, threads: u32) {
    machine.write(&format!("proc/{pid}/stat"), stat_line(pid, 1, threads, 77, 100));
    for thread in pid..pid + threads {
        run(machine, pid, thread, second(1), Duration::ZERO);
    }
}

fn run(machine: &Machine, pid: u32, thread: u32, cpu: Duration, delay: Duration) {
    machine.write(&format!("proc/{pid}/task/{thread}/schedstat"), nanos_line(cpu, delay));
}

#[test]
fn a_stat_is_read_whatever_the_name() {
    let stat = Stat::parse(stat_line(9, 4, 3, 77, 150).as_bytes()).expect("a stat");
    assert_eq!((stat.parent, stat.threads, stat.started, stat.major_faults), (4, 3, 77, 7));
    assert_eq!((stat.cpu, stat.resident_pages), (Duration::from_millis(1_500), 394));
    let whole = stat_line(9, 4, 3, 77, 150);
    let (_, fields) = whole.rsplit_once(") ").expect("fields");
    let odd = [b"9 (\xff\xfe) Z) ".as_slice(), fields.as_bytes()];
    assert_eq!(Stat::parse(&odd.concat()), Some(stat));
    for length in 0..whole.len() {
        assert_eq!(Stat::parse(&whole.as_bytes()[..length]), None, "half a line is none: {length}");
    }
    assert_eq!(Stat::parse(whole.replace(") S ", ") Z ").as_bytes()), None, "a zombie is no process");
}

#[test]
fn a_process_is_read_and_its_hottest_thread_named() {
    let machine = Machine::empty();
    with_threads(&machine, 100, 3);
    machine
        .write(
            "proc/100/smaps_rollup",
            "1-2 ---p 0 00:00 0 [rollup]\nRss: 20 kB\nPss:  7 kB\nPss_Anon: 1 kB\n",
        )
        .write("proc/100/limits", "Max open files            20000   20000   files\n")
        .write("proc/100/task/101/comm", "event loop\n")
        .link("proc/100/fd/0", "/dev/null");
    let mut process = Process::open(&machine.roots(), 100).expect("a process");
    let first = process.read(second(1)).expect("it lives");
    assert_eq!((first.hottest, first.threads, first.parent), (None, 3, 1));
    assert_eq!(
        (first.proportional_bytes, first.descriptors, first.descriptor_limit),
        (Some(7_168), Some(1), Some(20_000))
    );
    assert_eq!(first.run_delay, Some(Duration::ZERO));
    let glance = Glance { cpu: first.cpu, resident_bytes: first.resident_bytes };
    assert_eq!(process.glance(), Ok(glance), "the same at a glance");

    run(&machine, 100, 101, Duration::from_millis(1_900), Duration::from_millis(300));
    run(&machine, 100, 102, Duration::from_millis(1_200), Duration::from_millis(100));
    let read = process.read(second(2)).expect("it lives");
    let hottest = read.hottest.expect("read twice");
    assert_eq!((hottest.id, hottest.name.as_str()), (101, "event loop"));
    assert!((hottest.cpu - 0.9).abs() < 1e-9, "{hottest:?}");
    assert_eq!(read.run_delay, Some(Duration::from_millis(400)));
    assert_eq!(process.unknown().count(), 0);
}

#[test]
fn the_proportional_set_is_read_now_and_then() {
    let machine = Machine::empty();
    with_threads(&machine, 100, 1);
    machine.write("proc/100/smaps_rollup", "Pss:  7 kB\n");
    let mut process = Process::open(&machine.roots(), 100).expect("a process");
    let mut at = |now| process.read(second(now)).expect("it lives").proportional_bytes;
    assert_eq!(at(1), Some(7_168));
    machine.write("proc/100/smaps_rollup", "Pss:  8 kB\n");
    assert_eq!(at(10), Some(7_168));
    assert_eq!(at(11), Some(8_192));
    machine.write("proc/100/smaps_rollup", "Rss: 5 kB\n");
    assert_eq!(at(21), None, "unknown, and the resident set remains");
}

#[test]
fn another_process_of_the_same_number_is_not_taken_for_it() {
    let machine = Machine::empty();
    machine.process(100, 1, 77, 500);
    let mut process = Process::open(&machine.roots(), 100).expect("a process");
    assert_eq!(process.pid(), Pid { number: 100, started: 77 });
    machine.process(100, 1, 78, 900);
    assert_eq!(process.read(second(2)), Err(Gone(Pid { number: 100, started: 77 })));
    assert!(Process::open(&machine.roots(), 101).is_err());
}

#[test]
fn a_thread_that_ended_and_one_that_took_its_number_give_no_rate() {
    let machine = Machine::empty();
    with_threads(&machine, 100, 2);
    let mut process = Process::open(&machine.roots(), 100).expect("a process");
    process.read(second(1)).expect("it lives");
    run(&machine, 100, 101, Duration::from_millis(10), Duration::ZERO);
    let hottest = process.read(second(2)).expect("it lives").hottest.expect("the other was read twice");
    assert_eq!((hottest.id, hottest.cpu), (100, 0.0));
    run(&machine, 100, 101, second(500), Duration::ZERO);
    let hottest = process.read(second(3)).expect("it lives").hottest;
    assert_eq!(hottest.map(|hottest| hottest.id), Some(100), "no thread has 500 cores");
}

#[test]
fn without_scheduler_statistics_ticks_are_counted() {
    let machine = Machine::empty();
    machine.process(100, 1, 77, 100);
    machine.write("proc/100/task/100/schedstat", "0 0 0\n");
    let mut process = Process::open(&machine.roots(), 100).expect("a process");
    process.read(second(1)).expect("it lives");
    machine.process(100, 1, 77, 150);
    let read = process.read(second(2)).expect("it lives");
    assert_eq!(read.hottest.map(|hottest| hottest.cpu), Some(0.5));
    assert_eq!(read.run_delay, None, "unknown, not zero");
}

/// A process with so many threads that all show the same file: what is written to it, all have done.
fn with_like_threads(machine: &Machine, threads: u32) {
    machine.write("proc/100/stat", stat_line(100, 1, threads, 77, 100));
    run_all(machine, second(1), Duration::ZERO);
    for thread in 100..100 + threads {
        machine.link(&format!("proc/100/task/{thread}"), "../../like");
    }
}

fn run_all(machine: &Machine, cpu: Duration, delay: Duration) {
    machine.write("proc/like/schedstat", nanos_line(cpu, delay));
}

#[test]
fn of_ten_thousand_threads_the_hottest_is_found_in_turns_and_then_kept_in_sight() {
    let machine = Machine::empty();
    with_like_threads(&machine, 10_000);
    let (hot, mut now) = (9_999, 0);
    machine.remove(&format!("proc/100/task/{hot}"));
    let mut process = Process::open(&machine.roots(), 100).expect("a process");
    let mut tick = |process: &mut Process| {
        now += 1;
        // It has a core to itself.
        run(&machine, 100, hot, second(1 + now), Duration::ZERO);
        process.read(second(now)).expect("it lives").hottest
    };
    let found = (1..=2 * 10_000_usize.div_ceil(THREADS_A_TICK - 8)).find(|_| {
        tick(&mut process).is_some_and(|hottest| hottest.id == hot && (hottest.cpu - 1.0).abs() < 1e-9)
    });
    assert!(found.is_some(), "two rounds are enough");
    for _ in 0..5 {
        assert_eq!(tick(&mut process).map(|hottest| hottest.id), Some(hot));
    }
}

#[test]
fn a_reading_looks_at_no_more_threads_than_it_may() {
    let machine = Machine::empty();
    with_like_threads(&machine, 1_000);
    let mut process = Process::open(&machine.roots(), 100).expect("a process");
    process.read(second(1)).expect("it lives");
    // All wait a second; what is seen of it is what was looked at before: the others' past is not known.
    run_all(&machine, second(1), second(1));
    let mut seen = |now| process.read(second(now)).expect("it lives").run_delay.expect("known");
    assert_eq!((2..=9).map(&mut seen).max(), Some(second(THREADS_A_TICK as u64)));
    // Then all have been looked at, and all that follows is seen in one round.
    run_all(&machine, second(1), second(2));
    assert_eq!((10..=20).map(seen).max(), Some(second(THREADS_A_TICK as u64 + 1_000)));
}

#[test]
fn a_process_whose_threads_cannot_be_read_still_has_its_own_figures() {
    let machine = Machine::empty();
    machine.write("proc/100/stat", stat_line(100, 1, 4, 77, 100));
    let mut process = Process::open(&machine.roots(), 100).expect("a process");
    let read = process.read(second(1)).expect("it lives");
    assert_eq!((read.cpu, read.threads, read.run_delay), (second(1), 4, None));
    assert!(process.unknown().any(|unknown| unknown.what == "threads" && unknown.why == Why::Missing));
}

#[test]
fn a_family_sums_and_its_counters_do_not_go_back_when_a_member_ends() {
    let machine = Machine::empty();
    let pid = |number| Pid { number, started: 5 };
    for number in [10, 11, 12] {
        machine.process(number, 10, 5, 1_000);
        machine.write(&format!("proc/{number}/smaps_rollup"), "Pss: 2 kB\n");
    }
    let mut family = Family::new();
    family.set(&machine.roots(), &[pid(10), pid(11), pid(12)]);
    let first = family.read(second(1));
    assert_eq!((first.processes, first.cpu, first.threads), (3, Duration::ZERO, 3));
    assert_eq!(first.proportional_bytes, None, "one member a reading");
    for number in [10, 11, 12] {
        machine.process(number, 10, 5, 1_050);
    }
    assert_eq!(family.read(second(2)).cpu, Duration::from_millis(1_500));
    assert_eq!(family.read(second(3)).proportional_bytes, Some(6_144));

    machine.remove("proc/11");
    machine.process(10, 10, 5, 1_060);
    let read = family.read(second(4));
    assert_eq!((read.processes, read.cpu), (2, Duration::from_millis(1_600)));
    family.set(&machine.roots(), &[pid(10), pid(12), pid(13)]);
    machine.process(13, 10, 5, 9_999);
    let read = family.read(second(5));
    assert_eq!((read.processes, read.cpu), (3, Duration::from_millis(1_600)), "its past is not growth");
    let hottest = read.hottest.expect("read twice");
    assert_eq!(hottest.0.started, 5);
    family.set(&machine.roots(), &[]);
    assert_eq!(family.read(second(6)).processes, 0);
}

#[test]
fn a_large_family_is_read_in_turns_and_has_a_bound() {
    let machine = Machine::empty();
    let pids: Vec<_> = (1_000..1_600).map(|number| Pid { number, started: 5 }).collect();
    let mut family = Family::new();
    family.set(&machine.roots(), &pids);
    let members: Vec<_> = family.pids().collect();
    assert_eq!(members.len(), 512);
    for pid in &members {
        machine.process(pid.number, 1, 5, 0);
    }
    // One thread each: what is summed is what was read.
    let threads: Vec<_> = (1..=9).map(|now| family.read(second(now)).threads).collect();
    assert_eq!(threads, [64, 128, 192, 256, 320, 384, 448, 512, 512]);
    for pid in &members[100..] {
        machine.remove(&format!("proc/{}", pid.number));
    }
    let left = (10..=20).map(|now| family.read(second(now)).processes).min();
    assert_eq!(left, Some(100));
}
