//! Each cliff from measurements as they would come: load that rises, and what it takes of one resource.

use deepwater_core::random::Random;

use super::*;
use crate::config::Limits;
use crate::facts::{Application, Facts};
use crate::signal;
use crate::store::Store;

/// Seconds of the rise.
const SECONDS: u32 = 120;

/// A service under a load that rises from a tenth to half of `knee`.
struct Service {
    store: Store,
    random: Random,
    seed: u64,
    limits: Limits,
}

impl Service {
    fn rising(seed: u64, knee: f64, mut measure: impl FnMut(&mut Store, &mut Random, f64)) -> Self {
        let (mut store, mut random) = (Store::new(1 << 26), Random::from_seed(seed));
        for second in 0..SECONDS {
            let offered = knee * (0.1 + 0.4 * f64::from(second) / f64::from(SECONDS));
            let rate = around(&mut random, offered);
            store.put(&signal::REQUESTS, "shop", rate);
            store.put(&signal::REQUESTS, "", rate);
            measure(&mut store, &mut random, rate);
            store.pass(1);
        }
        Self { store, random, seed, limits: Limits::default() }
    }

    fn find(&self, kind: Kind, resource: &str) -> Finding {
        let facts = Facts::default();
        let picture =
            Picture { store: &self.store, facts: &facts, limits: &self.limits, target: 0.1, seed: self.seed };
        let (_, findings) = look(&picture);
        let found = findings.into_iter().find(|finding| finding.kind == kind && finding.resource == resource);
        found.unwrap_or_else(|| panic!("no {kind:?} of {resource}"))
    }

    /// The range that is found, which must hold the truth and not miss it by more than a quarter.
    fn knee(&self, kind: Kind, resource: &str, truth: f64) -> Range {
        let finding = self.find(kind, resource);
        let Outlook::AtLoad(range) = finding.outlook else { panic!("seed {}: {finding:?}", self.seed) };
        let seed = self.seed;
        assert!((range.value / truth - 1.0).abs() <= 0.25, "seed {seed}: {range:?}, not {truth}");
        assert!(range.low <= truth && truth <= range.high, "seed {seed}: {range:?} without {truth}");
        range
    }
}

/// A count whose mean is given, as independent events make it: the normal deviation of a Poisson number.
fn around(random: &mut Random, mean: f64) -> f64 {
    let normal: f64 = (0..12).map(|_| random.unit()).sum::<f64>() - 6.0;
    (mean + normal * mean.sqrt()).max(0.0).round()
}

const SEEDS: [u64; 5] = [1, 2, 3, 4, 5];

#[test]
fn a_pool_ends_when_all_its_connections_are_held() {
    for seed in SEEDS {
        // 20 ms of one of 10 connections each: all are held at 500.
        let service = Service::rising(seed, 500.0, |store, random, rate| {
            let hold = 0.02 * (0.9 + 0.2 * random.unit());
            store.put(&signal::POOL_SIZE, "shop/app", 10.0);
            store.put(&signal::POOL_BUSY, "shop/app", rate * hold);
            store.put(&signal::POOL_HOLD, "shop/app", hold);
            store.put(&signal::POOL_HOLD_VARIATION, "shop/app", 0.1);
            store.put(&signal::POOL_WAIT_P95, "shop/app", 0.001);
        });
        let range = service.knee(Kind::ConnectionPool, "shop/app", 490.0);
        assert!(range.value < 500.0, "waits come before the end: {range:?}");
        assert_eq!(service.find(Kind::ConnectionPool, "shop/app").pressing, None);
    }
}

/// What a slow database takes foretells nothing of a fast one, nor the other way round.
#[test]
fn a_pool_is_told_as_connections_are_kept_now() {
    for seed in SEEDS {
        let mut random = Random::from_seed(seed);
        let mut tick = |store: &mut Store, rate: f64, hold: f64, wait: f64| {
            let rate = around(&mut random, rate).max(1.0);
            store.put(&signal::REQUESTS, "shop", rate);
            store.put(&signal::POOL_SIZE, "shop/app", 4.0);
            store.put(&signal::POOL_RATE, "shop/app", rate);
            store.put(&signal::POOL_HOLD, "shop/app", hold);
            store.put(&signal::POOL_HOLD_VARIATION, "shop/app", 0.1);
            store.put(&signal::POOL_BUSY, "shop/app", (rate * hold).min(4.0));
            store.put(&signal::POOL_WAIT_P95, "shop/app", wait);
            store.pass(1);
        };
        let (facts, limits) = (Facts::default(), Limits::default());
        let mut store = Store::new(1 << 26);
        let found = |store: &Store| {
            let (_, found) = look(&Picture { store, facts: &facts, limits: &limits, target: 0.1, seed });
            found.into_iter().find(|finding| finding.kind == Kind::ConnectionPool).expect("the pool")
        };
        (0..100).for_each(|_| tick(&mut store, 80.0, 0.005, 0.001));
        assert!(matches!(found(&store).outlook, Outlook::AtLoad(_)), "seed {seed}");

        (0..15).for_each(|_| tick(&mut store, 20.0, 0.2, 0.6));
        let slow = found(&store);
        let pressing = slow.pressing.expect("all wait");
        assert!(pressing.starts_with("one client in twenty waits for 600 ms"), "seed {seed}: {pressing}");
        assert!(pressing.ends_with(" ms, and was for 5 ms a while ago"), "seed {seed}: {pressing}");
        assert!(matches!(slow.outlook, Outlook::CannotTell(_)), "seed {seed}: {:?}", slow.outlook);
        (0..45).for_each(|_| tick(&mut store, 20.0, 0.2, 0.6));
        let Outlook::AtLoad(at) = found(&store).outlook else { panic!("seed {seed}") };
        assert!(at.value <= 25.0, "seed {seed}: {at:?}");

        (0..20).for_each(|_| tick(&mut store, 80.0, 0.005, 0.001));
        let fast = found(&store);
        assert_eq!(fast.pressing, None);
        let Outlook::AtLoad(at) = fast.outlook else { panic!("seed {seed}: {:?}", fast.outlook) };
        assert!(at.value > 600.0, "seed {seed}: {at:?}");
    }
}

#[test]
fn a_pool_in_front_of_cores_ends_where_they_do() {
    for seed in SEEDS {
        // 4 ms of one of two cores each: they are full at 500. With 20 requests at them, 2ρ/(1 - ρ²), they are at 0.951.
        let service = Service::rising(seed, 475.0, |store, random, rate| {
            let share = rate / 500.0;
            let hold = 0.004 / (1.0 - share * share) * (0.95 + 0.1 * random.unit());
            store.put(&signal::CPU_CORES, "", 2.0);
            store.put(&signal::CPU_BUSY, "", 2.0 * share * (0.98 + 0.04 * random.unit()));
            store.put(&signal::POOL_SIZE, "shop/app", 20.0);
            store.put(&signal::POOL_BUSY, "shop/app", rate * hold);
            store.put(&signal::POOL_HOLD, "shop/app", hold);
            store.put(&signal::POOL_HOLD_VARIATION, "shop/app", 1.0);
        });
        service.knee(Kind::ConnectionPool, "shop/app", 475.0);
    }
}

#[test]
fn one_thread_ends_at_one_core() {
    for seed in SEEDS {
        // 4 ms of the one core of a thread, with an idle 2 % besides: 245.
        let service = Service::rising(seed, 245.0, |store, random, rate| {
            let thread = rate * 0.004 + 0.02 + 0.01 * random.unit();
            store.put(&signal::CPU_CORES, "", 2.0);
            store.put(&signal::CPU_BUSY, "", thread + rate * 0.0005 + 0.05);
            store.put(&signal::APP_THREAD, "app", thread);
            store.put(&signal::APP_CPU, "app", thread + 0.01);
        });
        service.knee(Kind::Cpu, "app", 230.0);
        service.find(Kind::Cpu, "machine");
    }
}

#[test]
fn who_writes_to_different_rows_has_no_end_at_one_row() {
    for seed in SEEDS {
        // Each write is held for 10 ms, three at once in the end, and one in fifty meets another.
        let service = Service::rising(seed, 600.0, |store, _, rate| {
            store.put(&signal::LOCK_HOLDERS, "shop/public.orders", rate * 0.01);
            store.put(&signal::LOCK_WAITERS, "shop/public.orders", rate * 0.000_2);
        });
        let finding = service.find(Kind::Locks, "shop/public.orders");
        assert!(matches!(finding.outlook, Outlook::NoneInSight(_)), "seed {seed}: {finding:?}");
    }
}

#[test]
fn a_hot_row_ends_when_somebody_always_holds_it() {
    for seed in SEEDS {
        // 10 ms each, one at a time; five samples a second.
        let service = Service::rising(seed, 100.0, |store, random, rate| {
            let rho = rate * 0.01;
            let samples = 5;
            let held = (0..samples).filter(|_| random.unit() < rho).count() as f64 / f64::from(samples);
            store.put(&signal::LOCK_HOLDERS, "shop/public.stock", held);
            store.put(&signal::LOCK_WAITERS, "shop/public.stock", held * rho);
        });
        service.knee(Kind::Locks, "shop/public.stock", 85.0);
    }
    let apart = Service::rising(7, 100.0, |store, _, rate| {
        store.put(&signal::LOCK_HOLDERS, "shop/public.orders", rate * 0.01);
        store.put(&signal::LOCK_WAITERS, "shop/public.orders", 0.0);
    });
    assert!(matches!(apart.find(Kind::Locks, "shop/public.orders").outlook, Outlook::NoneInSight(_)));
}

#[test]
fn memory_ends_with_the_requests_that_hold_it() {
    for seed in SEEDS {
        // 100 ms each, 8 MiB for each under way, on top of 100 MiB, of 1 GiB: 1.1 GB/s... about 1,000 a second on average.
        let mib = f64::from(1 << 20);
        let service = Service::rising(seed, 1_000.0, |store, random, rate| {
            let under_way = around(random, rate * 0.1);
            store.put(&signal::APP_MEMORY, "app", (100.0 + 8.0 * under_way) * mib);
        });
        let mut service = service;
        service.limits.memory = Some("1GiB".parse().unwrap());
        // (1024 - 100) / 8 = 115 under way at most: 98 on average, of which one moment in twenty has more.
        service.knee(Kind::Memory, "app", 985.0);
        let _ = &service.random;
    }
}

#[test]
fn a_link_ends_when_it_is_full() {
    for seed in SEEDS {
        let service = Service::rising(seed, 250.0, |store, _, rate| {
            store.put(&signal::NET_SPEED, "", 12_500_000.0);
            store.put(&signal::SENT, "", rate * 50_000.0);
        });
        service.knee(Kind::Network, "link", 250.0);
    }
    let unknown = Service::rising(7, 250.0, |store, _, rate| store.put(&signal::SENT, "", rate * 50_000.0));
    let Outlook::CannotTell(why) = unknown.find(Kind::Network, "link").outlook else { panic!() };
    assert!(why.contains("[lens.limits]"), "{why}");
}

#[test]
fn a_steady_load_tells_what_it_takes_of_what_is_idle_without_it() {
    let (mut store, mut random) = (Store::new(1 << 26), Random::from_seed(3));
    for _ in 0..60 {
        let rate = around(&mut random, 1_000.0);
        store.put(&signal::REQUESTS, "shop", rate);
        store.put(&signal::POOL_SIZE, "shop/app", 10.0);
        store.put(&signal::POOL_BUSY, "shop/app", rate * 0.004);
        store.put(&signal::CPU_CORES, "", 2.0);
        store.put(&signal::CPU_BUSY, "", 0.4 + rate * 0.0004);
        store.pass(1);
    }
    let service = Service { store, random, seed: 3, limits: Limits::default() };
    service.knee(Kind::ConnectionPool, "shop/app", 2_500.0);
    // What else runs on the machine cannot be told from what the load takes.
    let machine = service.find(Kind::Cpu, "machine");
    let Outlook::CannotTell(why) = &machine.outlook else { panic!("{machine:?}") };
    assert!(why.contains("varies"), "{why}");
}

#[test]
fn without_load_nothing_is_made_up() {
    let mut store = Store::new(1 << 26);
    for _ in 0..100 {
        store.put(&signal::POOL_SIZE, "shop/app", 10.0);
        store.put(&signal::POOL_BUSY, "shop/app", 0.0);
        store.pass(1);
    }
    let service = Service { store, random: Random::from_seed(1), seed: 1, limits: Limits::default() };
    assert!(matches!(service.find(Kind::ConnectionPool, "shop/app").outlook, Outlook::CannotTell(_)));
}

#[test]
fn waits_that_pass_the_target_press() {
    let service = Service::rising(5, 500.0, |store, _, rate| {
        store.put(&signal::POOL_SIZE, "shop/app", 10.0);
        store.put(&signal::POOL_BUSY, "shop/app", rate * 0.02);
        store.put(&signal::POOL_WAIT_P95, "shop/app", 0.3);
    });
    let pressing = service.find(Kind::ConnectionPool, "shop/app").pressing.unwrap();
    assert!(pressing.contains("300 ms"), "{pressing}");
}

#[test]
fn a_pool_whose_connections_are_all_held_presses_though_nothing_has_ended() {
    let mut store = Store::new(1 << 26);
    let mut tick = |waiting: f64, longest: f64| {
        store.put(&signal::POOL_SIZE, "shop/app", 5.0);
        store.put(&signal::POOL_BUSY, "shop/app", 5.0);
        store.put(&signal::POOL_ACTIVE, "shop/app", 5.0);
        store.put(&signal::POOL_QUEUE, "shop/app", waiting);
        store.put(&signal::POOL_LONGEST_WAIT, "shop/app", longest);
        store.pass(1);
        let facts = Facts::default();
        let picture =
            Picture { store: &store, facts: &facts, limits: &Limits::default(), target: 0.1, seed: 1 };
        look(&picture)
            .1
            .into_iter()
            .find(|finding| finding.kind == Kind::ConnectionPool)
            .expect("a pool")
            .pressing
    };
    // Somebody who waits for a moment is none.
    for second in 0..20 {
        assert_eq!(tick(f64::from(second % 2), 0.05), None);
    }
    let pressing = (1..=22).map(|second| tick(1.0, f64::from(second))).last().flatten().expect("it presses");
    assert!(pressing.contains("all 5") && pressing.contains("22.0 s"), "{pressing}");
    assert_eq!((0..5).map(|_| tick(0.0, 0.0)).last(), Some(None));
}

#[test]
fn what_others_do_on_the_machine_is_no_wait_of_requests() {
    for seed in SEEDS {
        // 10 ms of two cores each, and one core that others use: (2 - 1) / 0.01 = 100, and waits of 100 ms a tenth before.
        let service = Service::rising(seed, 100.0, |store, random, rate| {
            store.put(&signal::CPU_CORES, "", 2.0);
            store.put(&signal::CPU_BUSY, "", 1.0 + rate * 0.01 + 0.02 * random.unit());
        });
        let range = service.knee(Kind::Cpu, "machine", 90.0);
        assert!(range.value > 80.0, "seed {seed}: {range:?}");
    }
}

#[test]
fn a_thread_that_is_hardly_in_use_tells_no_end() {
    for seed in SEEDS {
        let service = Service::rising(seed, 15.0, |store, random, rate| {
            store.put(&signal::CPU_CORES, "", 2.0);
            store.put(&signal::APP_THREAD, "app", rate * 0.004 + 0.005 * random.unit());
            store.put(&signal::APP_CPU, "app", rate * 0.004 + 0.005);
        });
        let found = service.find(Kind::Cpu, "app");
        let Outlook::CannotTell(why) = &found.outlook else { panic!("seed {seed}: {found:?}") };
        assert!(why.contains("load"), "{why}");
    }
}

#[test]
fn what_was_not_looked_at_is_not_far_away() {
    let (mut store, facts, limits) = (Store::new(1 << 26), Facts::default(), Limits::default());
    let look = |store: &Store| look(&Picture { store, facts: &facts, limits: &limits, target: 0.1, seed: 1 });
    let tick = |store: &mut Store, rate: f64| {
        store.put(&signal::REQUESTS, "shop", rate);
        store.put(&signal::MEMORY_LIMIT, "", 1e10);
        store.put(&signal::MEMORY_USED, "", 1e9);
        store.put(&signal::DISK_SIZE, "", 1e12);
        store.put(&signal::DISK_FREE, "", 9e11);
        store.pass(1);
    };
    (0..8).for_each(|_| tick(&mut store, 0.0));
    let (load, found) = look(&store);
    assert!(load.is_none());
    for finding in found {
        assert!(matches!(finding.outlook, Outlook::CannotTell(_)), "{finding:?}");
    }
    // Under a load that varies it is known that it hardly matters, ...
    (0..60).for_each(|second| tick(&mut store, f64::from(second)));
    let (load, found) = look(&store);
    assert!(load.is_some());
    let memory = found.iter().find(|finding| finding.kind == Kind::Memory).expect("memory");
    assert!(matches!(memory.outlook, Outlook::NoneInSight(_)), "{memory:?}");
    // ... and in silence after it there is nothing to tell, and nothing that makes no sense.
    (0..10).for_each(|_| tick(&mut store, 0.0));
    let (load, found) = look(&store);
    assert!(load.is_none());
    let memory = found.iter().find(|finding| finding.kind == Kind::Memory).expect("memory");
    assert_eq!(memory.outlook, Outlook::CannotTell("there is no load now".into()));
}

/// What others use, less load does not give back.
#[test]
fn cores_that_are_used_up_are_told_with_whose_work_it_is() {
    let (mut store, limits) = (Store::new(1 << 26), Limits::default());
    for _ in 0..20 {
        store.put(&signal::REQUESTS, "shop", 80.0);
        store.put(&signal::CPU_CORES, "", 2.0);
        store.put(&signal::CPU_BUSY, "", 1.96);
        store.put(&signal::APP_CPU, "app", 0.18);
        store.pass(1);
    }
    let pressing = |names: &[&str]| {
        let application =
            |name: &&str| Application { name: (*name).to_owned(), targets: Vec::new(), limited: false };
        let facts = Facts { applications: names.iter().map(application).collect(), ..Facts::default() };
        let (_, found) =
            look(&Picture { store: &store, facts: &facts, limits: &limits, target: 0.1, seed: 1 });
        found
            .into_iter()
            .find(|finding| finding.kind == Kind::Cpu)
            .and_then(|cpu| cpu.pressing)
            .expect("full")
    };
    assert_eq!(pressing(&["app"]), "2.0 of 2.0 cores are at work, 0.2 of them for `app`");
    assert_eq!(pressing(&["app", "unseen"]), "2.0 of 2.0 cores are at work");
    assert_eq!(pressing(&[]), "2.0 of 2.0 cores are at work");
}

/// Half an hour is too long to wait for what is full in two minutes.
#[test]
fn memory_that_fills_within_minutes_is_told_before_it_is_full() {
    const MIB: f64 = 1_048_576.0;
    for seed in SEEDS {
        let mut random = Random::from_seed(seed);
        let (facts, mut store) = (Facts::default(), Store::new(1 << 26));
        let limits = Limits { memory: Some("1GiB".parse().unwrap()), ..Limits::default() };
        let mut tick = |store: &mut Store, rate: f64, memory: f64| {
            store.put(&signal::REQUESTS, "shop", around(&mut random, rate));
            store.put(&signal::IN_FLIGHT, "", around(&mut random, rate / 50.0));
            store.put(&signal::APP_MEMORY, "app", (memory + random.unit()) * MIB);
            store.pass(1);
        };
        let outlook = |store: &Store| {
            let (_, found) = look(&Picture { store, facts: &facts, limits: &limits, target: 0.1, seed });
            found.into_iter().find(|finding| finding.kind == Kind::Memory).expect("memory").outlook
        };
        (0..300).for_each(|_| tick(&mut store, 60.0, 300.0));
        // 5 MiB each second: at 700 MiB there are 65 seconds left.
        (0..80).for_each(|second| tick(&mut store, 60.0, 300.0 + 5.0 * f64::from(second)));
        let Outlook::InTime(range) = outlook(&store) else { panic!("seed {seed}: {:?}", outlook(&store)) };
        assert!((30.0..150.0).contains(&range.value), "seed {seed}: {range:?}");
        // It is taken back when it grows no more.
        (0..40).for_each(|_| tick(&mut store, 60.0, 700.0));
        assert!(!matches!(outlook(&store), Outlook::InTime(_)), "seed {seed}");

        // What comes with more load is of the load.
        (0..120).for_each(|_| tick(&mut store, 60.0, 500.0));
        (0..80).for_each(|second| {
            tick(&mut store, 60.0 + 2.0 * f64::from(second), 500.0 + 5.0 * f64::from(second));
        });
        assert!(!matches!(outlook(&store), Outlook::InTime(_)), "seed {seed}");
    }
}
