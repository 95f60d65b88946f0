use std::io::{BufReader, Read};

use super::generate::{Requests, drift, looping, news, scans, size, zipf};
use super::policies::{Arc as Adaptive, Fifo, Lru, Policy, S3Fifo};
use super::*;
use crate::store::testing::Random;

const REQUESTS: usize = 60_000;
const OBJECTS: usize = 10_000;

/// Hit ratio and byte hit ratio, in percent.
fn measure(policy: &mut dyn Policy, trace: &Requests) -> (f64, f64) {
    let (mut hits, mut hit_bytes, mut bytes) = (0_u64, 0, 0);
    for object in trace {
        let size = size(*object);
        bytes += size;
        if policy.request(*object, size) {
            hits += 1;
            hit_bytes += size;
        }
    }
    (100.0 * ratio(hits, trace.len() as u64), 100.0 * ratio(hit_bytes, bytes))
}

/// S3-FIFO, LRU, FIFO, ARC.
fn compare(trace: &Requests, capacity: u64) -> [(f64, f64); 4] {
    let mut policies: [Box<dyn Policy>; 4] = [
        Box::new(S3Fifo(Store::new(capacity as usize))),
        Box::new(Lru::new(capacity)),
        Box::new(Fifo::new(capacity)),
        Box::new(Adaptive::new(capacity)),
    ];
    policies.each_mut().map(|policy| measure(policy.as_mut(), trace))
}

/// What popularity on the web is like: a few names, a long tail, and crawlers; new objects now and then.
fn web_like(random: &mut Random) -> Vec<(&'static str, Requests)> {
    vec![
        ("zipf 0.8, 20 % once", zipf(random, REQUESTS, OBJECTS, 0.8, 0.2)),
        ("zipf 0.9, 30 % once", zipf(random, REQUESTS, OBJECTS, 0.9, 0.3)),
        ("zipf 1.0, 20 % once", zipf(random, REQUESTS, OBJECTS, 1.0, 0.2)),
        ("zipf 1.0", zipf(random, REQUESTS, OBJECTS, 1.0, 0.0)),
        ("zipf 1.2, 10 % once", zipf(random, REQUESTS, OBJECTS, 1.2, 0.1)),
        ("scans", scans(random, REQUESTS, OBJECTS, 0.9)),
        ("slow news", news(random, REQUESTS, OBJECTS, 1.0, 50)),
        ("news", news(random, REQUESTS, OBJECTS, 1.0, 5)),
    ]
}

/// What suits LRU: nothing is popular for long.
fn fleeting(random: &mut Random) -> Vec<(&'static str, Requests)> {
    vec![
        ("fast news", news(random, REQUESTS, OBJECTS, 1.0, 1)),
        ("slow drift", drift(random, REQUESTS, OBJECTS, 1.0, 0.01)),
        ("drift", drift(random, REQUESTS, OBJECTS, 1.0, 0.1)),
        ("fast drift", drift(random, REQUESTS, OBJECTS, 1.0, 1.0)),
    ]
}

/// Compares at three sizes; the own policy may be so many points below the better of LRU and FIFO, and below ARC.
fn check(traces: Vec<(&'static str, Requests)>, below_simple: f64, below_arc: f64) {
    let mut failures = Vec::new();
    for (name, trace) in traces {
        for mebibytes in [1, 4, 16] {
            let [own, lru, fifo, arc] = compare(&trace, mebibytes << 20);
            let figures = format!("own {own:.2?} lru {lru:.2?} fifo {fifo:.2?} arc {arc:.2?}");
            println!("{name}, {mebibytes} MiB: {figures}");
            if own.0 < lru.0.max(fifo.0) - below_simple || own.0 < arc.0 - below_arc {
                failures.push(format!("{name}, {mebibytes} MiB: {figures}"));
            }
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn the_policy_beats_lru_and_fifo_and_comes_close_to_arc() {
    check(web_like(&mut Random::new(7)), 0.0, 1.0);
}

#[test]
fn the_policy_comes_close_to_lru_where_nothing_is_popular_for_long() {
    check(fleeting(&mut Random::new(8)), 2.0, 1.5);
}

#[test]
fn a_loop_larger_than_the_cache() {
    let trace = looping(REQUESTS, 2_000);
    let bytes: u64 = (0..2_000).map(|object| size(object) + 144).sum();
    let [own, lru, fifo, arc] = compare(&trace, bytes * 3 / 4);
    println!("loop: own {own:?} lru {lru:?} fifo {fifo:?} arc {arc:?}");
    assert!(own.0 >= lru.0 && own.0 >= fifo.0);
}

fn text(trace: &Requests) -> String {
    trace.iter().map(|object| format!("/products/{object} {}\n", size(*object))).collect()
}

#[test]
fn a_replay_counts_what_the_store_does() {
    let trace = zipf(&mut Random::new(1), 20_000, 2_000, 1.0, 0.1);
    let options = Options { sizes_bytes: vec![8 << 20, 1 << 20, 1 << 20, 1 << 30, 1 << 32] };
    let report = run(text(&trace).as_bytes(), &options).unwrap();
    assert_eq!(report.lines, Lines { read: 20_000, used: 20_000, ..Lines::default() });
    assert_eq!(report.formats, [Some(Format::Plain)]);
    let distinct: std::collections::HashSet<_> = trace.iter().collect();
    assert_eq!(report.distinct, distinct.len() as u64);
    assert_eq!(report.distinct_bytes, distinct.iter().map(|object| size(**object)).sum::<u64>());
    // 1 GiB holds everything: no need for more.
    let sizes: Vec<_> = report.rows.iter().map(|row| row.size_bytes).collect();
    assert_eq!(sizes, [1 << 20, 8 << 20, 1 << 30]);
    let whole = report.rows.last().unwrap();
    assert_eq!((whole.evictions, whole.objects), (0, report.distinct));
    assert!((whole.hit_ratio() - report.ceiling_hit_ratio()).abs() < 1e-9);
    assert!(report.rows.is_sorted_by_key(|row| row.hits));
    assert!(report.knee().is_some());
    assert!(render(&report).contains("worth its memory"));
}

#[test]
fn an_answer_without_a_body_says_nothing_of_the_size() {
    let log = "\
10.0.0.1 - - [x] \"GET /a HTTP/1.1\" 200 1000
10.0.0.1 - - [x] \"GET /a HTTP/1.1\" 304 0
10.0.0.1 - - [x] \"HEAD /a HTTP/1.1\" 200 0
10.0.0.1 - - [x] \"GET /a HTTP/1.1\" 206 10
10.0.0.1 - - [x] \"POST /a HTTP/1.1\" 200 10
";
    let report = run(log.as_bytes(), &Options::default()).unwrap();
    assert_eq!((report.requests, report.distinct, report.distinct_bytes), (4, 1, 1000));
    assert_eq!((report.rows[0].hits, report.rows[0].hit_bytes), (3, 10));
    assert_eq!(report.rows.len(), 1);
}

#[test]
fn files_of_several_formats_are_one_trace() {
    let files = ["/a 10\n", "{\"key\":\"/a\",\"size\":10}\n", ""];
    let report = run_all(files.map(str::as_bytes), &Options::default()).unwrap();
    assert_eq!(report.formats, [Some(Format::Plain), Some(Format::Json), None]);
    assert_eq!((report.requests, report.rows[0].hits), (2, 1));
    assert!(report.gains() == [None]);
}

#[test]
fn a_file_that_cannot_be_read_is_an_error() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("broken"))
        }
    }
    assert!(run(BufReader::new(Broken), &Options::default()).is_err());
}

#[test]
fn no_sizes_no_rows() {
    let report = run("a 1\n".as_bytes(), &Options { sizes_bytes: vec![] }).unwrap();
    assert!(report.rows.is_empty() && report.knee().is_none() && report.gains().is_empty());
    assert!(!render(&report).is_empty());
}
