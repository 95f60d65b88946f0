//! What a client says while a server serves it.

use std::sync::Arc;
use std::time::Duration;

use deepwater_pgwire::message::backend::Status;
use deepwater_pgwire::message::frontend::write as ask;
use deepwater_pgwire::message::{self, HEADER_BYTES, frontend};
use deepwater_pgwire::sql::{self, Statement, Verdict};

use super::batch::BatchState;
use super::begin::unknown_message;
use super::end::End;
use super::expect::Expect;
use super::out::Out;
use super::sql::Course;
use super::{Session, pin};
use crate::plan::Face;

/// The functions for large objects (`lo_…`, `loread`, `lowrite`) by number, the same in every version of PostgreSQL. What
/// they open is closed with the transaction.
const LARGE_OBJECTS: [u32; 20] = [
    715, 764, 765, 767, 952, 953, 954, 955, 956, 957, 958, 964, 1004, 3170, 3171, 3172, 3457, 3458, 3459,
    3460,
];

/// How long what a client asked before its goodbye is waited for. The server then goes on with it alone.
const GOODBYE: Duration = Duration::from_secs(1);

impl Session {
    /// Passes what the client says to the server; how much of it. What must be understood is left until it is whole.
    pub(super) fn hear_client(&mut self, data: &[u8], out: &mut Out<'_>) -> Result<usize, End> {
        let mut at = 0;
        loop {
            let Some(link) = &mut self.link else { return Ok(at) };
            if link.passing_up > 0 {
                let n = link.passing_up.min(data.len() - at);
                out.pass(at, at + n);
                link.passing_up -= n;
                at += n;
            }
            link.hold_names &= !link.expected.is_empty();
            link.hold_query &= !link.expected.is_empty();
            link.forgets_all &= !link.expected.is_empty();
            if link.is_holding() {
                return Ok(at);
            }
            let Some(header) = message::header(&data[at..])? else { return Ok(at) };
            let (total, left) = (header.total(), data.len() - at);
            let whole = left >= total;
            match header.tag {
                frontend::COPY_DATA => {
                    let n = total.min(left);
                    out.pass(at, at + n);
                    link.passing_up = total - n;
                    at += n;
                    continue;
                }
                frontend::BIND if !whole => {
                    link.batch.stop();
                    self.note_asked();
                    if !self.hear_bind(data, at, total, out)? {
                        return Ok(at);
                    }
                    if let Some(link) = &mut self.link {
                        link.open_batch = true;
                    }
                    return Ok(data.len());
                }
                _ if !whole => {
                    if total <= self.plan.max_message || !self.pass_unread(header.tag, &data[at..])? {
                        return Ok(at);
                    }
                    out.pass(at, data.len());
                    if let Some(link) = &mut self.link {
                        link.passing_up = total - left;
                    }
                    return Ok(data.len());
                }
                _ => {}
            }
            let awaits = match header.tag {
                frontend::QUERY | frontend::FUNCTION_CALL => true,
                frontend::PARSE | frontend::BIND | frontend::DESCRIBE | frontend::CLOSE => link.forgets_all,
                _ => false,
            };
            if awaits && self.await_batch(out) {
                return Ok(at);
            }
            if header.tag == frontend::BIND && self.pause_to_listen(&data[at..], out) {
                return Ok(at);
            }
            self.hear_message(header.tag, data, at, total, out)?;
            at += total;
        }
    }

    /// A query comes behind a batch without a Sync, which makes the server skip it if anything of the batch fails; or
    /// something that names a statement comes behind what drops them all. The server is made to say first what came of it.
    /// False when that is known.
    fn await_batch(&mut self, out: &mut Out<'_>) -> bool {
        let tracked = self.is_tracked();
        if self.link.as_ref().is_some_and(|link| link.expected.are_all_fakes()) {
            self.flush_fakes();
        }
        let Some(link) = self.link.as_mut().filter(|link| {
            tracked && link.open_batch && !link.skipping && !link.copy_in && !link.expected.is_empty()
        }) else {
            return false;
        };
        link.batch.stop();
        link.hold_query = true;
        ask::flush(out.own());
        true
    }

    /// One whole message.
    fn hear_message(
        &mut self,
        tag: u8,
        data: &[u8],
        at: usize,
        total: usize,
        out: &mut Out<'_>,
    ) -> Result<(), End> {
        let payload = &data[at + HEADER_BYTES..at + total];
        let Some(link) = &mut self.link else { return Ok(()) };
        if link.skipping && !matches!(tag, frontend::SYNC | frontend::TERMINATE) {
            // The server ignores it, as it has just said by its error.
            out.pass(at, at + total);
            return Ok(());
        }
        match tag {
            frontend::QUERY => {
                link.batch.stop();
                return self.hear_query(payload, at, total, out);
            }
            frontend::TERMINATE => return self.hear_goodbye(),
            frontend::FLUSH => {
                self.flush_fakes();
                out.pass(at, at + total);
                return Ok(());
            }
            frontend::COPY_DONE | frontend::COPY_FAIL => {
                link.copy_in = false;
                out.pass(at, at + total);
                return Ok(());
            }
            frontend::FUNCTION_CALL => {
                self.note_asked();
                self.note_call(payload);
                out.pass(at, at + total);
                if let Some(link) = &mut self.link {
                    link.expected.push(Expect::Query(Vec::new()));
                }
                return Ok(());
            }
            frontend::SYNC => return self.hear_sync(data, at, total, out),
            frontend::PARSE | frontend::BIND | frontend::DESCRIBE | frontend::EXECUTE | frontend::CLOSE => {}
            other => return Err(unknown_message(other)),
        }
        self.keep_for_retry(&data[at..at + total]);
        self.note_asked();
        match tag {
            frontend::PARSE => self.hear_parse(data, at, total, out)?,
            frontend::BIND => {
                self.hear_bind(data, at, total, out)?;
            }
            frontend::DESCRIBE => self.hear_describe(data, at, total, out)?,
            frontend::CLOSE => self.hear_close(data, at, total, out)?,
            _ => {
                out.pass(at, at + total);
                self.hear_execute(payload);
            }
        }
        if let Some(link) = &mut self.link {
            link.open_batch = true;
        }
        Ok(())
    }

    /// The client leaves. What it asked before is done first, as a server does it.
    pub(super) fn hear_goodbye(&mut self) -> Result<(), End> {
        let Some(link) = self.link.as_mut().filter(|link| !link.is_answered()) else {
            return Err(End::Terminated);
        };
        link.leaving = true;
        let info = Arc::clone(&self.info);
        tokio::task::spawn_local(async move {
            tokio::time::sleep(GOODBYE).await;
            info.kill("57P01", "the client has gone");
        });
        Ok(())
    }

    /// Keeps the messages of a batch that begins outside a transaction: a stale plan may make it fail before it has done
    /// anything.
    fn keep_for_retry(&mut self, message: &[u8]) {
        let Some(link) = &mut self.link else { return };
        match link.batch.state {
            BatchState::Off
                if link.status == Status::Idle && !link.open_batch && link.expected.are_all_ours() =>
            {
                link.batch.bytes.clear();
                (link.batch.answered, link.batch.prepares) = (false, None);
                link.batch.state = BatchState::Open;
            }
            // The client has gone on: what it sent before cannot be sent again behind that.
            BatchState::Whole => link.batch.stop(),
            _ => {}
        }
        link.batch.add(message);
    }

    fn hear_sync(&mut self, data: &[u8], at: usize, total: usize, out: &mut Out<'_>) -> Result<(), End> {
        let Some(link) = &mut self.link else { return Ok(()) };
        if link.copy_in {
            // The server ignores it, unless the COPY has just failed: what the next answer belongs to is uncertain.
            link.doubtful = true;
            out.pass(at, at + total);
            return Ok(());
        }
        link.batch.add(&data[at..at + total]);
        if link.batch.state == BatchState::Open {
            link.batch.state = BatchState::Whole;
        }
        (link.open_batch, link.bound) = (false, false);
        link.skipping = false;
        link.hold_names = link.forgets_all || link.expected.changes_names();
        link.hold_resets = link.aftermath.resets();
        out.pass(at, at + total);
        link.expected.push(Expect::Sync);
        Ok(())
    }

    /// What a text does to the session.
    pub(super) fn read(&mut self, text: &[u8]) -> Verdict {
        if self.parameters.is_ambiguous() {
            self.pin(pin::UNREAD_TEXT);
        }
        if self.pins & (1 << pin::TEMP_TABLE) != 0
            && mentions(text, b"drop")
            && let Some(link) = &mut self.link
        {
            link.aftermath.recheck_pins();
        }
        sql::read_with(text, self.parameters.strings())
    }

    /// A simple query.
    fn hear_query(&mut self, payload: &[u8], at: usize, total: usize, out: &mut Out<'_>) -> Result<(), End> {
        let Ok(text) = frontend::query_text(payload) else {
            // The server says what is wrong with it.
            self.note_asked();
            out.pass(at, at + total);
            if let Some(link) = &mut self.link {
                link.expected.push(Expect::Query(Vec::new()));
            }
            return Ok(());
        };
        if self.plan.no_simple_queries {
            return Err(End::protocol(match self.face {
                Face::PgBouncer => "PQexec disallowed",
                Face::Native => "simple query protocol not allowed",
            }));
        }
        self.names.drop_unnamed();
        self.note_asked();
        let tracked = self.is_tracked();
        if let Some(link) = &mut self.link {
            link.unnamed_here = false;
            // It ends what was sent before it without a Sync.
            link.open_batch = false;
        }
        let (mut changes, mut forgets) = (Vec::new(), false);
        if tracked {
            let verdict = self.read(text);
            let Some(link) = &mut self.link else { return Ok(()) };
            if !verdict.session.is_empty() || !verdict.marks.is_empty() {
                let alone = verdict.statements == 1
                    && link.status == Status::Idle
                    && link.is_answered()
                    && link.aftermath.is_empty();
                if alone {
                    link.failed = false;
                }
                if touches_prepared(&verdict) {
                    match self.hear_sql_prepare(text, &verdict, out)? {
                        Course::Pass(does) => changes = does,
                        Course::Answered => return Ok(()),
                    }
                    forgets = verdict.session.iter().any(forgets_all);
                }
                self.note_verdict(&verdict, alone);
            }
        }
        out.pass(at, at + total);
        if let Some(link) = &mut self.link {
            link.hold_resets = link.aftermath.resets();
            // What comes behind it must know what names mean.
            link.hold_names |= forgets || !changes.is_empty();
            link.expected.push(Expect::Query(changes));
        }
        Ok(())
    }

    /// Begins to pass a message that is too long to be understood. Its client keeps the server from then on, since nobody
    /// knows what the text does. False when it must be waited for; an error when it can't be passed.
    fn pass_unread(&mut self, tag: u8, begun: &[u8]) -> Result<bool, End> {
        let tracked = self.is_tracked();
        let Some(link) = &mut self.link else { return Ok(false) };
        let expect = match tag {
            frontend::QUERY | frontend::FUNCTION_CALL => Expect::Query(Vec::new()),
            // A statement without a name: its text follows at once.
            frontend::PARSE if !tracked || begun.get(HEADER_BYTES) == Some(&0) => Expect::Parse(None),
            frontend::COPY_FAIL => return Ok(false),
            _ => return Err(End::protocol("a message is longer than postgres.max_message_size")),
        };
        link.batch.stop();
        link.open_batch |= tag == frontend::PARSE;
        link.unnamed_here = tag == frontend::PARSE;
        link.expected.push(expect);
        self.names.drop_unnamed();
        self.note_asked();
        if tag == frontend::FUNCTION_CALL {
            self.note_call(begun.get(HEADER_BYTES..).unwrap_or_default());
        } else if tracked {
            self.pin(pin::UNREAD_TEXT);
        }
        Ok(true)
    }

    /// A function is called by number: nobody knows what it does, unless it is one that libraries call so.
    fn note_call(&mut self, payload: &[u8]) {
        let number = payload.first_chunk().map(|number| u32::from_be_bytes(*number));
        if self.is_tracked() && !number.is_some_and(|number| LARGE_OBJECTS.contains(&number)) {
            self.pin(pin::OPAQUE_TEXT);
        }
    }
}

/// Whether a text holds a word, in whatever case.
fn mentions(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|window| window.eq_ignore_ascii_case(word))
}

/// Whether a text makes, runs or drops prepared statements.
pub(super) fn touches_prepared(verdict: &Verdict) -> bool {
    verdict.session.iter().any(touches_names)
}

/// The same of one of its statements.
pub(super) fn touches_names(statement: &Statement) -> bool {
    forgets_all(statement)
        || matches!(
            statement,
            Statement::Prepare { .. } | Statement::Execute { .. } | Statement::Deallocate(_)
        )
}

/// Whether a statement drops all prepared statements.
fn forgets_all(statement: &Statement) -> bool {
    matches!(statement, Statement::DeallocateAll | Statement::DiscardAll)
}
