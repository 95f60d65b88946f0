//! Many cores pick while the pool changes under them.

use std::thread;
use std::time::{Duration, Instant};

use deepwater_core::{Context, Events};

use crate::balance::Balance;
use crate::lease::{FailureKind, Outcome};
use crate::picker::Ask;
use crate::pool::{Pool, PoolSpec};
use crate::testing::{address, spec};

#[test]
fn every_request_is_counted_once_whatever_happens_meanwhile() {
    const PER_CORE: u64 = 5_000;
    let pool = Pool::new(spec(&[1; 6]), &Context::new(1, Events::silent()));
    let kept = pool.targets();
    thread::scope(|scope| {
        for core in 0..4 {
            let mut picker = pool.picker(core);
            scope.spawn(move || {
                for request in 0..PER_CORE {
                    let lease = picker.pick(&Ask::at(Instant::now())).expect("one always stays");
                    let latency = Duration::from_micros(request % 100);
                    match request % 7 {
                        0 => drop(lease),
                        1..4 => lease.done(Outcome::Failure { kind: FailureKind::Status5xx, latency }),
                        _ => lease.done(Outcome::Success { latency }),
                    }
                }
            });
        }
        for round in 0..100 {
            let balance = Balance::ALL[round % Balance::ALL.len()];
            pool.update(PoolSpec { balance, ..spec(&vec![1; 1 + round % 6]) });
            pool.drain(&address(1 + round % 5));
            pool.undrain(&address(1 + round % 5));
        }
        pool.update(spec(&[1; 6]));
    });
    // Targets that went and came back are new ones; the first stayed all along.
    let first = &pool.status().targets[0];
    assert!(first.requests > 0 && first.failures < first.requests, "{first:?}");
    assert!(std::sync::Arc::ptr_eq(&kept[0], &pool.targets()[0]));
    assert!(pool.targets().iter().chain(&kept).all(|target| target.in_flight() == 0));
}
