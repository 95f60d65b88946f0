use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::task::{Context, Poll, Wake, Waker};

use bytes::Bytes;

use super::*;
use crate::purge::Epochs;

type Table = Flights<&'static str, &'static str>;

struct Alarm(AtomicUsize);

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn alarm() -> (Arc<Alarm>, Waker) {
    let alarm = Arc::new(Alarm(AtomicUsize::new(0)));
    (Arc::clone(&alarm), alarm.into())
}

fn join(table: &Arc<Table>, key: &str) -> Joined<&'static str, &'static str> {
    table.join(key.as_bytes(), Epochs::new().now(), "died", |_| true)
}

fn lead(
    table: &Arc<Table>,
    key: &str,
) -> (Lead<&'static str, &'static str>, Reader<&'static str, &'static str>) {
    match join(table, key) {
        Joined::Leading(lead, reader) => (lead, reader),
        other => panic!("{other:?}"),
    }
}

fn wait(table: &Arc<Table>, key: &str) -> Reader<&'static str, &'static str> {
    match join(table, key) {
        Joined::Waiting(reader) => reader,
        other => panic!("{other:?}"),
    }
}

fn chunks(reader: &mut Reader<&'static str, &'static str>) -> (Vec<u8>, Option<Result<(), Broken>>) {
    let mut cx = Context::from_waker(Waker::noop());
    let mut all = Vec::new();
    loop {
        match reader.poll_chunk(&mut cx) {
            Poll::Ready(Some(Ok(chunk))) => all.extend_from_slice(&chunk),
            Poll::Ready(Some(Err(broken))) => return (all, Some(Err(broken))),
            Poll::Ready(None) => return (all, Some(Ok(()))),
            Poll::Pending => return (all, None),
        }
    }
}

#[test]
fn all_read_the_same_answer_while_it_arrives() {
    let table = Table::new(10);
    let (lead, mut first) = lead(&table, "a");
    let mut second = wait(&table, "a");
    let (rung, waker) = alarm();
    let mut cx = Context::from_waker(&waker);
    assert!(second.poll_outcome(&mut cx).is_pending());
    lead.flight().answer(Arc::new("head"), Audience::Everybody);
    assert_eq!(rung.0.load(Ordering::SeqCst), 1, "waiters wake at once");
    assert!(matches!(second.poll_outcome(&mut cx), Poll::Ready(Outcome::Answered(head)) if *head == "head"));
    lead.flight().push(Bytes::from_static(b"ab"));
    assert_eq!(chunks(&mut second), (b"ab".to_vec(), None));
    let mut late = wait(&table, "a");
    lead.flight().push(Bytes::from_static(b"c"));
    lead.flight().end(Ok(()));
    assert_eq!(chunks(&mut first), (b"abc".to_vec(), Some(Ok(()))));
    assert_eq!(chunks(&mut second), (b"c".to_vec(), Some(Ok(()))));
    assert_eq!(chunks(&mut late), (b"abc".to_vec(), Some(Ok(()))));
    drop(lead);
    assert!(table.is_empty());
    assert!(matches!(join(&table, "a"), Joined::Leading(..)));
}

#[test]
fn a_dead_leader_is_told_and_one_of_those_who_waited_takes_over() {
    let table = Table::new(10);
    let (lead, _first) = lead(&table, "a");
    let mut waiters = [wait(&table, "a"), wait(&table, "a")];
    drop(lead);
    let mut cx = Context::from_waker(Waker::noop());
    for waiter in &mut waiters {
        assert!(matches!(waiter.poll_outcome(&mut cx), Poll::Ready(Outcome::Failed("died"))));
    }
    let (_promoted, _) = self::lead(&table, "a");
    assert!(matches!(join(&table, "a"), Joined::Waiting(_)));
}

#[test]
fn a_body_that_breaks_off_never_looks_whole() {
    let table = Table::new(10);
    let (lead, mut reader) = lead(&table, "a");
    lead.flight().answer(Arc::new("head"), Audience::Everybody);
    lead.flight().push(Bytes::from_static(b"half"));
    drop(lead);
    assert_eq!(chunks(&mut reader), (b"half".to_vec(), Some(Err(Broken))));
}

#[test]
fn a_private_answer_reaches_its_leader_only_and_at_his_pace() {
    let table = Table::new(10);
    let (lead, mut reader) = lead(&table, "a");
    let mut waiter = wait(&table, "a");
    lead.flight().answer(Arc::new("secret"), Audience::Leader);
    let (rung, waker) = alarm();
    let mut cx = Context::from_waker(&waker);
    assert!(matches!(waiter.poll_outcome(&mut cx), Poll::Ready(Outcome::NotForYou)));
    drop(waiter);
    assert!(matches!(reader.poll_outcome(&mut cx), Poll::Ready(Outcome::Answered(_))));
    lead.flight().push(Bytes::from(vec![1; WINDOW_BYTES as usize]));
    assert!(lead.flight().poll_room(&mut cx).is_pending());
    assert_eq!(chunks(&mut reader).0.len() as u64, WINDOW_BYTES);
    assert_eq!(rung.0.load(Ordering::SeqCst), 1);
    assert_eq!(lead.flight().poll_room(&mut cx), Poll::Ready(Ok(())));
    assert!(lead.flight().state().chunks.is_empty(), "what was read is not kept");
    drop(reader);
    assert_eq!(lead.flight().poll_room(&mut cx), Poll::Ready(Err(Broken)), "nobody is there to read");
}

#[test]
fn a_body_too_large_to_keep_goes_at_the_pace_of_the_slowest() {
    let table = Table::new(10);
    let (lead, mut fast) = lead(&table, "a");
    let mut slow = wait(&table, "a");
    lead.flight().answer(Arc::new("head"), Audience::Everybody);
    for _ in 0..3 {
        lead.flight().push(Bytes::from(vec![1; WINDOW_BYTES as usize]));
    }
    let mut cx = Context::from_waker(Waker::noop());
    assert!(lead.flight().poll_room(&mut cx).is_ready());
    lead.leave_table();
    lead.flight().close();
    assert_eq!(chunks(&mut fast).0.len() as u64, 3 * WINDOW_BYTES);
    assert!(lead.flight().poll_room(&mut cx).is_pending());
    assert_eq!(chunks(&mut slow).0.len() as u64, 3 * WINDOW_BYTES);
    assert!(lead.flight().poll_room(&mut cx).is_ready());
}

#[test]
fn waiters_are_bounded() {
    let table = Table::new(2);
    let (_lead, _first) = lead(&table, "a");
    let _second = wait(&table, "a");
    assert!(matches!(join(&table, "a"), Joined::Full));
    assert!(matches!(join(&table, "b"), Joined::Leading(..)));
}

#[test]
fn nobody_joins_a_fetch_that_began_before_a_purge() {
    let epochs = Epochs::new();
    let table = Table::new(10);
    let slot = epochs.slot(crate::purge::Kind::Url, b"a");
    let current = |born| epochs.check(born, &[slot], b"a") == crate::purge::Validity::Valid;
    let Joined::Leading(old, _reader) = table.join(b"a", epochs.now(), "died", current) else { panic!() };
    epochs.purge(crate::purge::Kind::Url, b"a", crate::purge::Mode::Hard);
    let Joined::Leading(new, _reader) = table.join(b"a", epochs.now(), "died", current) else { panic!() };
    drop(old);
    assert!(
        matches!(table.join(b"a", epochs.now(), "died", current), Joined::Waiting(_)),
        "the old is not the new"
    );
    drop(new);
    assert!(table.is_empty());
}

#[test]
fn of_many_threads_one_leads() {
    const THREADS: usize = 16;
    let table = Table::new(THREADS);
    let leaders = AtomicUsize::new(0);
    let barrier = Barrier::new(THREADS);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                barrier.wait();
                let joined = pin!(join(&table, "hot"));
                if matches!(*joined, Joined::Leading(..)) {
                    leaders.fetch_add(1, Ordering::SeqCst);
                }
                barrier.wait();
            });
        }
    });
    assert_eq!(leaders.load(Ordering::SeqCst), 1);
}

#[test]
fn what_is_held_is_counted_until_it_is_let_go() {
    let table = Table::new(10);
    let (waker, mut held) = (Waker::noop(), Vec::new());
    let mut cx = Context::from_waker(waker);
    let (one, mut first) = lead(&table, "a");
    let second = wait(&table, "a");
    one.flight().answer(Arc::new("head"), Audience::Everybody);
    one.flight().push(Bytes::from_static(b"0123"));
    one.flight().push(Bytes::from_static(b"45"));
    held.push(table.held_bytes());
    assert!(matches!(first.poll_chunk(&mut cx), Poll::Ready(Some(Ok(_)))));
    held.push(table.held_bytes());
    one.flight().close();
    held.push(table.held_bytes());
    drop(second);
    held.push(table.held_bytes());
    drop((one, first));
    held.push(table.held_bytes());
    assert_eq!(held, [6, 6, 6, 2, 0]);
}
