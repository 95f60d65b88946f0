//! Interim responses of a fetch.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::task::{Context, Waker};

use http::StatusCode;

use crate::cache::write_line;
use crate::head::Response;

/// Interim responses on their way to the client a fetch was begun for. Both are tasks of one core.
#[derive(Default)]
pub(in crate::exchange::cached) struct Interims {
    /// Status and field lines of each.
    queue: RefCell<VecDeque<(StatusCode, Vec<u8>)>>,
    waker: Cell<Option<Waker>>,
}

/// More are dropped.
const MOST_INTERIMS: usize = 16;

impl Interims {
    pub(super) fn push(&self, response: &Response) {
        let mut lines = Vec::new();
        response.fields.iter().for_each(|(_, name, value)| write_line(&mut lines, name, value));
        let mut queue = self.queue.borrow_mut();
        if queue.len() < MOST_INTERIMS {
            queue.push_back((response.status, lines));
        }
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// The next one, if any; else the waker is kept.
    pub fn pop(&self, cx: &Context<'_>) -> Option<(StatusCode, Vec<u8>)> {
        let next = self.queue.borrow_mut().pop_front();
        if next.is_none() {
            self.waker.set(Some(cx.waker().clone()));
        }
        next
    }
}
