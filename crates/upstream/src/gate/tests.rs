use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};
use std::task::{Context, Poll, Wake};
use std::thread::Thread;
use std::time::Instant;

use deepwater_core::random::Random;

use super::*;
use crate::limit::Limit;

const MS: u64 = 1_000_000;

fn gate(limit: u32, max_waiting: u32) -> Arc<Gate> {
    let settings = WaitingRoom { max_waiting, ..WaitingRoom::default() };
    Gate::new(&Concurrency { max: limit, ..Concurrency::default() }, &settings, 1)
}

fn go(entered: Entered) -> Permit {
    match entered {
        Entered::Go(permit) => permit,
        Entered::Wait(_) => panic!("it has to wait"),
        Entered::Full => panic!("the room is full"),
    }
}

fn wait(entered: Entered) -> Ticket {
    match entered {
        Entered::Wait(ticket) => ticket,
        Entered::Go(_) => panic!("it may go on"),
        Entered::Full => panic!("the room is full"),
    }
}

fn look(ticket: &mut Ticket) -> Option<Result<Permit, Shed>> {
    match Pin::new(ticket).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => Some(answer),
        Poll::Pending => None,
    }
}

fn shed(gate: &Gate, why: Shed) -> u64 {
    gate.status().shed[why as usize]
}

#[test]
fn below_the_limit_everybody_goes_and_above_it_waits() {
    let gate = gate(2, 10);
    let first = go(gate.enter(Priority::Normal, 0));
    let second = go(gate.enter(Priority::Low, 0));
    let mut third = wait(gate.enter(Priority::Critical, MS));
    assert!(look(&mut third).is_none());
    let status = gate.status();
    assert_eq!((status.limit, status.in_flight, status.waiting), (2, 2, [0, 0, 0, 1]));
    first.done(3 * MS, Duration::from_millis(3), false);
    let permit = look(&mut third).unwrap().unwrap();
    assert_eq!(permit.admitted(), 3 * MS, "the wait is no part of the latency");
    assert!(look(&mut third).is_none(), "an answer is given once");
    drop((second, permit, third));
    assert_eq!(gate.status().in_flight, 0);
    assert_eq!(gate.status().shed, [0; 5]);
}

#[test]
fn the_important_come_first_and_then_the_first_to_come() {
    let gate = gate(1, 10);
    let mut holder = Some(go(gate.enter(Priority::Normal, 0)));
    let order = [Priority::Low, Priority::Normal, Priority::High, Priority::Normal, Priority::Critical];
    let mut tickets: Vec<Ticket> = order.iter().map(|priority| wait(gate.enter(*priority, MS))).collect();
    let mut served = Vec::new();
    for _ in 0..tickets.len() {
        holder.take().unwrap().done(2 * MS, Duration::from_millis(1), false);
        let mut granted = tickets.iter_mut().enumerate().filter_map(|(who, t)| Some((who, look(t)?)));
        let (who, answer) = granted.next().unwrap();
        served.push(who);
        holder = Some(answer.unwrap());
    }
    assert_eq!(served, [4, 2, 1, 3, 0]);
}

#[test]
fn in_a_long_queue_the_last_to_come_is_served_first() {
    let gate = gate(1, 100);
    let mut holder = go(gate.enter(Priority::Normal, 0));
    let mut tickets: Vec<(usize, Ticket)> =
        (0..34).map(|who| (who, wait(gate.enter(Priority::Normal, MS)))).collect();
    let mut served = Vec::new();
    for _ in 0..4 {
        holder.done(2 * MS, Duration::from_millis(1), false);
        let found = tickets.iter_mut().enumerate().find_map(|(at, (_, ticket))| Some((at, look(ticket)?)));
        let (at, answer) = found.unwrap();
        holder = answer.unwrap();
        served.push(tickets.remove(at).0);
    }
    assert_eq!(served, [33, 32, 0, 1], "34 and 33 wait are many, 32 are not");
}

#[test]
fn a_full_room_turns_away_the_least_important() {
    let gate = gate(1, 3);
    let _holder = go(gate.enter(Priority::Normal, 0));
    let mut low_old = wait(gate.enter(Priority::Low, 0));
    let mut low_young = wait(gate.enter(Priority::Low, MS));
    let mut normal = wait(gate.enter(Priority::Normal, MS));
    assert!(matches!(gate.enter(Priority::Low, MS), Entered::Full));
    let mut high = wait(gate.enter(Priority::High, MS));
    assert_eq!(look(&mut low_young).unwrap().unwrap_err(), Shed::Displaced);
    assert!(look(&mut low_old).is_none());
    let mut normal_young = wait(gate.enter(Priority::Normal, MS));
    assert_eq!(look(&mut low_old).unwrap().unwrap_err(), Shed::Displaced);
    assert!(matches!(gate.enter(Priority::Normal, MS), Entered::Full));
    let _critical = wait(gate.enter(Priority::Critical, MS));
    assert_eq!(look(&mut normal_young).unwrap().unwrap_err(), Shed::Displaced);
    assert!(look(&mut normal).is_none() && look(&mut high).is_none());
    assert_eq!((shed(&gate, Shed::Full), shed(&gate, Shed::Displaced)), (2, 3));
    assert_eq!(gate.status().waiting, [0, 1, 1, 1]);
}

#[test]
fn no_room_means_now_or_never() {
    let gate = gate(1, 0);
    let holder = go(gate.enter(Priority::Low, 0));
    assert!(matches!(gate.enter(Priority::Critical, 0), Entered::Full));
    drop(holder);
    drop(go(gate.enter(Priority::Low, 0)));
}

#[test]
fn nobody_waits_for_too_long() {
    let gate = gate(1, 10);
    let holder = go(gate.enter(Priority::Normal, 0));
    let mut late = wait(gate.enter(Priority::Critical, 0));
    assert_eq!(late.deadline(), 1_000 * MS);
    let mut early = wait(gate.enter(Priority::Normal, 1_500 * MS));
    assert_eq!(look(&mut late).unwrap().unwrap_err(), Shed::WaitedTooLong, "whoever comes sees to it");
    holder.done(1_501 * MS, Duration::from_secs(1), false);
    let _holder = look(&mut early).unwrap().unwrap();
    let ticket = wait(gate.enter(Priority::Normal, 1_502 * MS));
    assert_eq!(ticket.expire().unwrap_err(), Shed::WaitedTooLong, "and so does its own timer");
    assert_eq!((shed(&gate, Shed::WaitedTooLong), gate.status().waiting), (2, [0; 4]));
}

#[test]
fn a_timer_that_is_too_late_finds_the_permit() {
    let gate = gate(1, 10);
    let holder = go(gate.enter(Priority::Normal, 0));
    let ticket = wait(gate.enter(Priority::Normal, 0));
    drop(holder);
    let permit = ticket.expire().unwrap();
    assert_eq!(gate.status().in_flight, 1);
    drop(permit);
    assert_eq!((gate.status().in_flight, shed(&gate, Shed::WaitedTooLong)), (0, 0));
}

#[test]
fn who_leaves_is_forgotten_and_a_permit_for_nobody_goes_to_the_next() {
    let gate = gate(1, 10_000);
    let holder = go(gate.enter(Priority::Normal, 0));
    let granted = wait(gate.enter(Priority::Normal, 0));
    let mut tickets: Vec<Ticket> = (0..1_000).map(|_| wait(gate.enter(Priority::Normal, 0))).collect();
    let mut last = tickets.pop().unwrap();
    drop(tickets);
    assert_eq!((gate.status().waiting, shed(&gate, Shed::Left)), ([0, 2, 0, 0], 999));
    assert!(gate.room().entries() < 100, "those who left take no memory");
    drop(holder);
    assert!(look(&mut last).is_none());
    drop(granted);
    let permit = look(&mut last).unwrap().unwrap();
    drop(permit);
    let status = gate.status();
    assert_eq!((status.in_flight, status.waiting), (0, [0; 4]));
}

#[test]
fn what_clients_are_told_to_wait_follows_from_the_pace() {
    let gate = gate(1, 0);
    assert_eq!(gate.retry_after(0).as_secs(), 1);
    for request in 0..100 {
        let permit = go(gate.enter(Priority::Normal, request * 100 * MS));
        (0..4)
            .for_each(|_| assert!(matches!(gate.enter(Priority::Normal, request * 100 * MS), Entered::Full)));
        permit.done(request * 100 * MS, Duration::from_millis(100), false);
    }
    assert_eq!(
        gate.retry_after(9_900 * MS).as_secs(),
        40,
        "four times as many as were served in ten seconds"
    );
    assert_eq!(gate.retry_after(60_000 * MS).as_secs(), 1);
}

#[test]
fn until_a_pace_is_known_clients_are_told_what_is_known() {
    let settings = WaitingRoom {
        max_waiting: 0,
        max_wait: deepwater_core::config::Duration::from_secs(3),
        ..WaitingRoom::default()
    };
    let gate = Gate::new(&Concurrency { max: 1, ..Concurrency::default() }, &settings, 1);
    let start = 100_000 * MS;
    let turn_away = |now, times| {
        (0..times).for_each(|_| assert!(matches!(gate.enter(Priority::Normal, now), Entered::Full)));
        gate.retry_after(now).as_secs()
    };
    let holder = go(gate.enter(Priority::Normal, start));
    assert_eq!(turn_away(start, 20), 3, "nothing was served yet");
    assert_eq!(turn_away(start + 4_500 * MS, 1), 5, "so long nothing was");
    holder.done(start + 5_500 * MS, Duration::from_secs(5), false);
    let holder = go(gate.enter(Priority::Normal, start + 5_500 * MS));
    assert_eq!(turn_away(start + 5_500 * MS, 1), 60, "22 times six seconds");
    drop(holder);
    // After a quiet spell a short one is not taken for the whole window.
    let later = start + 60_000 * MS;
    (0..10).for_each(|_| go(gate.enter(Priority::Normal, later)).done(later, Duration::ZERO, false));
    let _holder = go(gate.enter(Priority::Normal, later));
    assert_eq!(turn_away(later, 50), 5, "ten in a second");
}

#[test]
fn a_change_keeps_those_in_flight_and_those_who_wait() {
    let gate = gate(2, 10);
    let change = |max, settings: &WaitingRoom| {
        gate.change(&Concurrency { max, ..Concurrency::default() }, settings, 1);
    };
    let held = [(); 2].map(|()| go(gate.enter(Priority::Normal, 0)));
    let mut tickets = [(); 3].map(|()| wait(gate.enter(Priority::Normal, 0)));
    let few = WaitingRoom { max_waiting: 1, ..WaitingRoom::default() };
    change(1, &few);
    assert_eq!((gate.status().limit, gate.status().in_flight), (1, 2));
    assert!(tickets.iter_mut().all(|ticket| look(ticket).is_none()), "who waits keeps the place");
    assert!(matches!(gate.enter(Priority::Normal, MS), Entered::Full));
    let [first, second] = held;
    first.done(MS, Duration::from_millis(1), false);
    assert!(tickets.iter_mut().all(|ticket| look(ticket).is_none()), "one is in flight, and one may be");
    change(3, &few);
    let served: Vec<Permit> = tickets[..2].iter_mut().filter_map(|ticket| look(ticket)?.ok()).collect();
    assert_eq!(served.len(), 2, "a higher limit lets them in at once");
    assert!(look(&mut tickets[2]).is_none());
    let brief = deepwater_core::config::Duration::from_millis(5);
    change(3, &WaitingRoom { max_wait: brief, ..few });
    drop(gate.enter(Priority::Normal, 20 * MS));
    assert_eq!(look(&mut tickets[2]).unwrap().unwrap_err(), Shed::WaitedTooLong);
    drop((second, served));
    assert_eq!((gate.status().in_flight, gate.status().waiting), (0, [0; 4]));
}

#[test]
fn a_limit_that_is_found_as_before_goes_on_from_where_it_is() {
    let adaptive = Concurrency { limit: Limit::Gradient, initial: 8, min: 4, ..Concurrency::default() };
    let gate = Gate::new(&adaptive, &WaitingRoom::default(), 1);
    let change = |concurrency: &Concurrency| {
        gate.change(concurrency, &WaitingRoom::default(), 1);
        gate.status().limit
    };
    assert_eq!(change(&Concurrency { initial: 20, tolerance: 2.0, ..adaptive.clone() }), 8);
    assert_eq!(change(&Concurrency { min: 10, ..adaptive.clone() }), 10);
    assert_eq!(change(&Concurrency { max: 7, ..Concurrency::default() }), 7);
    assert_eq!(change(&adaptive), 8);
}

#[test]
fn a_limit_that_grows_lets_those_in_who_wait() {
    let concurrency = Concurrency { limit: Limit::Gradient, initial: 4, min: 4, ..Concurrency::default() };
    let gate = Gate::new(&concurrency, &WaitingRoom::default(), 1);
    let mut permits: Vec<Permit> = (0..4).map(|_| go(gate.enter(Priority::Normal, 0))).collect();
    let mut tickets: Vec<Ticket> = (0..500).map(|_| wait(gate.enter(Priority::Normal, 0))).collect();
    for step in 1..500_u64 {
        permits.remove(0).done(step * MS, Duration::from_millis(4), false);
        let granted = tickets.iter_mut().filter_map(look);
        permits.extend(granted.filter_map(Result::ok));
        assert_eq!(permits.len() as u32, gate.status().in_flight);
        if gate.status().limit > 4 {
            break;
        }
    }
    assert!(gate.status().limit > 4, "{:?}", gate.status());
    assert_eq!(gate.status().limit, gate.status().in_flight, "nobody waits while there is a place");
}

#[test]
fn settings_are_documented_and_have_defaults() {
    #[derive(Debug, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
    #[serde(default, deny_unknown_fields)]
    struct Settings {
        /// How many at once.
        concurrency: Concurrency,
        /// Who may wait.
        waiting: WaitingRoom,
        /// Who comes first.
        priority: Priority,
        /// When to stop.
        breaker: crate::Breaker,
        /// How many retries.
        budget: crate::Budget,
        /// How soon.
        backoff: crate::Backoff,
    }
    assert_eq!(deepwater_core::config::undocumented::<Settings>(), Vec::<String>::new());
}

/// Wakes a thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// What becomes of a ticket; a wake that is lost is found by the deadline.
fn block_on(ticket: &mut Ticket) -> Result<Permit, Shed> {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        if let Poll::Ready(answer) = Pin::new(&mut *ticket).poll(&mut Context::from_waker(&waker)) {
            return answer;
        }
        assert!(Instant::now() < deadline, "a wake was lost");
        std::thread::park_timeout(Duration::from_secs(61));
    }
}

/// Threads that come, wait, leave early, drop their permits and finish: never more in flight than the
/// limit, everybody gets an answer, and at the end nobody is left.
#[test]
fn many_threads_lose_nobody() {
    let seed = std::env::var("SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or_else(|| std::time::UNIX_EPOCH.elapsed().map_or(1, |elapsed| elapsed.as_nanos() as u64));
    println!("SEED={seed}");
    for (limit, max_waiting) in [(1, 1_000), (3, 2), (4, 1_000), (7, 0)] {
        let settings = WaitingRoom { max_waiting, ..WaitingRoom::default() };
        let gate = Gate::new(&Concurrency { max: limit, ..Concurrency::default() }, &settings, seed);
        let (time, held, most) = (AtomicU64::new(0), AtomicU32::new(0), AtomicU32::new(0));
        let [gone, turned_away, dropped] = [(); 3].map(|()| AtomicU64::new(0));
        let visit = |random: &mut Random| {
            let now = time.fetch_add(random.below(2_000_000) as u64, SeqCst);
            let priority = Priority::ALL[random.below(4)];
            let answer = match gate.enter(priority, now) {
                Entered::Go(permit) => Ok(permit),
                Entered::Full => Err(Shed::Full),
                Entered::Wait(mut ticket) => match random.below(8) {
                    0 => {
                        dropped.fetch_add(1, SeqCst);
                        return drop(ticket);
                    }
                    1 => ticket.expire(),
                    _ => block_on(&mut ticket),
                },
            };
            match answer {
                Ok(permit) => {
                    most.fetch_max(held.fetch_add(1, SeqCst) + 1, SeqCst);
                    if random.below(2) == 0 {
                        std::thread::yield_now();
                    }
                    held.fetch_sub(1, SeqCst);
                    gone.fetch_add(1, SeqCst);
                    if random.below(3) > 0 {
                        permit.done(now, Duration::from_millis(1), false);
                    }
                }
                Err(_) => {
                    turned_away.fetch_add(1, SeqCst);
                }
            }
        };
        std::thread::scope(|scope| {
            for thread in 0..12 {
                let mut random = Random::from_seed(seed.wrapping_add(thread));
                let visit = &visit;
                scope.spawn(move || (0..1_500).for_each(|_| visit(&mut random)));
            }
        });
        let status = gate.status();
        assert!(most.load(SeqCst) <= limit, "SEED={seed}: {most:?} of {limit}");
        assert_eq!((status.in_flight, status.waiting), (0, [0; 4]), "SEED={seed}");
        let shed: u64 = status.shed.iter().sum();
        let told = shed - status.shed[Shed::Left as usize];
        let [gone, turned_away, dropped] = [gone, turned_away, dropped].map(AtomicU64::into_inner);
        assert_eq!(gone + turned_away + dropped, 18_000, "SEED={seed}");
        // Who drops a ticket may have been turned away in the meantime.
        assert!((turned_away..=turned_away + dropped).contains(&told), "SEED={seed}: {status:?}");
        assert!(gone > 0, "SEED={seed}: {status:?}");
    }
}
