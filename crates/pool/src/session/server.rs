//! What the server says: passed on, but for what only answers questions of ours.

use std::sync::Arc;
use std::task::Context;

use deepwater_pgwire::message::backend::{self, ErrorFields, ParameterStatus, Status, field};
use deepwater_pgwire::message::{self, HEADER_BYTES};

use super::batch::BatchState;
use super::end::End;
use super::expect::{Expect, Named, Ours};
use super::out::Out;
use super::{Session, pin};
use crate::settings::Parameters;
use crate::statements::Statement;

/// The longest message of the server that is held whole; of longer ones only the beginning is looked at.
const HELD_BYTES: usize = 32 * 1024;
/// The same of answers to questions of ours.
const OURS_BYTES: usize = 1 << 20;

/// What PostgreSQL says when a plan no longer fits what the client was told of it, unless it speaks another language.
const STALE_PLAN: &str = "cached plan must not change result type";
/// Where it finds that.
const REVALIDATION: &[u8] = b"RevalidateCachedQuery";

impl Session {
    /// Passes what the server says to the client.
    pub(super) fn hear_server(&mut self, cx: &mut Context<'_>, data: &[u8]) -> Result<(), End> {
        let Some(link) = &mut self.link else { return Ok(()) };
        if link.from_server.is_empty() {
            let used = self.pass_answers(cx, data)?;
            if let Some(link) = &mut self.link {
                link.from_server.extend_from_slice(&data[used..]);
            }
            return Ok(());
        }
        let mut joined = std::mem::take(&mut link.from_server);
        joined.extend_from_slice(data);
        let used = self.pass_answers(cx, &joined)?;
        if let Some(link) = &mut self.link {
            joined.drain(..used);
            if !joined.is_empty() {
                link.from_server = joined;
            }
        }
        Ok(())
    }

    fn pass_answers(&mut self, cx: &mut Context<'_>, data: &[u8]) -> Result<usize, End> {
        let mut owned = self.worker.take_output();
        let mut out = Out::new(data, &mut owned);
        let used = self.read_answers(data, &mut out);
        let written = self.write_client(cx, out.finish());
        self.worker.give_output(owned);
        written?;
        used
    }

    fn read_answers(&mut self, data: &[u8], out: &mut Out<'_>) -> Result<usize, End> {
        self.pass_fakes(out);
        let mut at = 0;
        loop {
            let Some(link) = &mut self.link else { return Ok(at) };
            if link.passing_down > 0 {
                let n = link.passing_down.min(data.len() - at);
                if !link.dropping_down {
                    out.pass(at, at + n);
                }
                link.passing_down -= n;
                at += n;
            }
            let header = match message::header(&data[at..]) {
                Ok(Some(header)) => header,
                Ok(None) => return Ok(at),
                Err(malformed) => {
                    return Err(End::ServerLost(format!("the server broke the protocol: {malformed}")));
                }
            };
            let (total, left) = (header.total(), data.len() - at);
            let front = link.expected.front();
            let ours = front.is_some_and(Expect::is_ours);
            let again = link.batch.state == BatchState::Again;
            // Rows are the bulk of all traffic: their inside is no concern of ours.
            let is_row = match header.tag {
                backend::DATA_ROW | backend::COPY_DATA => true,
                backend::ROW_DESCRIPTION => matches!(front, Some(Expect::Query(_))),
                _ => false,
            };
            if is_row && !ours && !again {
                let n = total.min(left);
                out.pass(at, at + n);
                link.batch.answered = true;
                link.passing_down = total - n;
                link.dropping_down = false;
                at += n;
                continue;
            }
            if left < total.min(if ours { OURS_BYTES } else { HELD_BYTES }) {
                return Ok(at);
            }
            let n = total.min(left);
            let message = &data[at..at + n];
            let unnamed = front.and_then(Expect::unnamed_statement);
            let pass = self.read_answer(header.tag, &message[HEADER_BYTES..])?;
            if header.tag == backend::READY_FOR_QUERY {
                self.check_mode()?;
            }
            if pass {
                let renamed = (header.tag == backend::ERROR_RESPONSE && n == total)
                    .then(|| self.names.in_error(&message[HEADER_BYTES..], unnamed))
                    .flatten();
                match renamed {
                    Some(payload) => message::raw(out.own(), backend::ERROR_RESPONSE, &payload),
                    None => out.pass(at, at + n),
                }
            }
            let Some(link) = &mut self.link else { return Ok(at + n) };
            link.passing_down = total - n;
            link.dropping_down = !pass;
            at += n;
            self.pass_fakes(out);
        }
    }

    /// Looks at one message; whether the client is to see it. `payload` may be only the beginning of a very long one.
    fn read_answer(&mut self, tag: u8, payload: &[u8]) -> Result<bool, End> {
        let Some(link) = &mut self.link else { return Ok(false) };
        let broken = |malformed: message::Malformed| {
            End::ServerLost(format!("the server broke the protocol: {malformed}"))
        };
        match tag {
            backend::READY_FOR_QUERY => {
                let status = Status::read(payload).map_err(broken)?;
                return self.server_ready(status);
            }
            backend::PARAMETER_STATUS => {
                let status = ParameterStatus::read(payload).map_err(broken)?;
                let ours = link.expected.front().is_some_and(Expect::is_ours);
                Parameters::report(&mut link.server().parameters, status.name, status.value);
                if !ours {
                    self.note_reported(status.name, status.value);
                    if status.name == b"application_name" {
                        self.info.set_application_name(&String::from_utf8_lossy(status.value));
                    }
                }
                return Ok(!ours);
            }
            backend::NOTICE_RESPONSE => return Ok(!link.expected.front().is_some_and(Expect::is_ours)),
            backend::NOTIFICATION_RESPONSE => return Ok(true),
            backend::ERROR_RESPONSE => return Ok(self.server_failed(payload)),
            _ => {}
        }
        if link.batch.state == BatchState::Again {
            return Ok(false);
        }
        let ours = link.expected.front().is_some_and(Expect::is_ours);
        match tag {
            // Within a question of ours, or from a server that is not right, they end nothing.
            backend::PARSE_COMPLETE | backend::BIND_COMPLETE | backend::CLOSE_COMPLETE
                if link.expected.front().is_some_and(|expect| expect.is_ended_by(tag)) =>
            {
                link.expected.pop();
            }
            backend::ROW_DESCRIPTION | backend::NO_DATA => {
                if matches!(link.expected.front(), Some(Expect::Describe(_))) {
                    link.expected.pop();
                }
            }
            backend::COMMAND_COMPLETE | backend::EMPTY_QUERY_RESPONSE | backend::PORTAL_SUSPENDED => {
                link.copy_in = false;
                if matches!(link.expected.front(), Some(Expect::Execute(_) | Expect::OurNamed(_))) {
                    link.expected.pop();
                }
                if tag == backend::COMMAND_COMPLETE && !ours {
                    self.command_complete(payload);
                }
            }
            backend::COPY_IN_RESPONSE | backend::COPY_BOTH_RESPONSE => {
                link.copy_in = true;
                if matches!(link.expected.front(), Some(Expect::Execute(_))) {
                    link.expected.forget_syncs_behind_front();
                    link.open_batch = true;
                }
            }
            backend::DATA_ROW if ours => link.note_row(payload),
            _ => {}
        }
        if !ours && let Some(link) = &mut self.link {
            link.batch.answered = true;
        }
        Ok(!ours)
    }

    /// The server has ended a query or a batch; whether the client is to know.
    fn server_ready(&mut self, status: Status) -> Result<bool, End> {
        let Some(link) = &mut self.link else { return Ok(false) };
        link.copy_in = false;
        link.status = status;
        // Whatever was before the boundary has been skipped.
        let ended = loop {
            match self.link.as_mut().and_then(|link| link.expected.pop()) {
                Some(ended) if ended.is_boundary() => break Some(ended),
                Some(skipped) => self.skipped(skipped),
                None => break None,
            }
        };
        let Some(link) = &mut self.link else { return Ok(false) };
        match ended {
            Some(Expect::Ours(what)) => {
                self.our_answer(what)?;
                Ok(false)
            }
            Some(_) if link.batch.state == BatchState::Again => {
                link.failed = false;
                self.send_again();
                Ok(false)
            }
            Some(_) => {
                link.aftermath.query_over();
                let defined = link.doubt.definitions && status == Status::Idle;
                // Who has temporary tables mostly drops those.
                if defined && self.pins & (1 << pin::TEMP_TABLE) == 0 {
                    self.worker.shared.statements.expire();
                }
                if link.batch.state != BatchState::Off && link.is_answered() {
                    link.batch.stop();
                }
                self.note_answered();
                self.adopt_parameters();
                Ok(true)
            }
            None => {
                // Nobody asked: what belongs to what is uncertain from here on.
                link.doubtful = true;
                (link.skipping, link.open_batch) = (false, false);
                Ok(true)
            }
        }
    }

    /// What the client saw of the server's parameters is what the server has.
    fn adopt_parameters(&mut self) {
        let Some(link) = &mut self.link else { return };
        let server = link.server();
        if server.parameters.hash() != self.parameters.hash() {
            self.parameters = Arc::clone(&server.parameters);
        }
    }

    /// A command has succeeded: some change what the server and the client have.
    #[inline]
    fn command_complete(&mut self, payload: &[u8]) {
        match payload {
            b"DISCARD ALL\0" => self.discarded_all(),
            b"DEALLOCATE ALL\0" => self.deallocated_all(),
            b"UNLISTEN\0" => self.unlistened(),
            b"PREPARE\0" | b"DEALLOCATE\0" => {
                if let Some(change) = self.link.as_mut().and_then(|link| link.expected.take_change()) {
                    self.apply_prepare(change);
                }
            }
            _ => {}
        }
    }

    /// The server reports an error; whether the client is to see it.
    fn server_failed(&mut self, payload: &[u8]) -> bool {
        let Some(link) = &mut self.link else { return true };
        let fields = ErrorFields::new(payload);
        link.copy_in = false;
        if fields.is_fatal() {
            link.farewell = true;
            // A client of which the server has heard nothing gets another one.
            return !(link.fresh && link.status == Status::Idle);
        }
        match link.expected.front() {
            Some(Expect::Ours(_)) => {
                let code = fields.code().unwrap_or("XX000").to_owned();
                link.our_error = Some((code, fields.message().into_owned()));
                return false;
            }
            Some(Expect::Query(_)) => {
                link.failed = true;
                return true;
            }
            _ => {}
        }
        link.failed = true;
        let lost = match link.expected.front() {
            Some(Expect::Bind(Some(statement)) | Expect::Describe(Some(statement)))
                if is_outdated(statement, &fields) =>
            {
                Some(Arc::clone(statement))
            }
            _ => None,
        };
        let redescribed = fields.code() == Some("26000")
            || lost.as_ref().is_some_and(|statement| link.batch.prepares == Some(statement.id))
            || link.batch.describes_portal()
            || matches!(link.expected.front(), Some(Expect::Describe(_)));
        link.skipping = !link.expected.has_sync();
        link.open_batch |= link.skipping;
        if let (
            Some("42P05"),
            Some(Expect::OurParse(statement) | Expect::Parse(Some(Named { statement, .. }))),
        ) = (fields.code(), link.expected.front())
        {
            // The server has it, whatever we thought.
            let id = statement.id;
            link.server().forget(id);
        }
        link.expected.front_failed();
        // The last first: a name may have changed more than once.
        for skipped in link.expected.skip_to_sync().into_iter().rev() {
            self.skipped(skipped);
        }
        match lost {
            Some(statement) => self.heal(&statement, redescribed),
            None => true,
        }
    }

    /// The server will not do what an error made it skip.
    fn skipped(&mut self, skipped: Expect) {
        let Some(link) = &mut self.link else { return };
        match skipped {
            Expect::Parse(Some(named)) => {
                link.server().prepared.remove(named.statement.id);
                self.names.remove(&named.name);
            }
            Expect::OurParse(statement) => link.server().prepared.remove(statement.id),
            Expect::FakeParse(named) => {
                self.names.remove(&named.name);
            }
            Expect::FakeUnnamed(before) => self.unnamed_skipped(before),
            Expect::FakeClose(Some(named)) => self.names.insert(named),
            Expect::FakeCloseSql(closed) => self.names.add_sql(closed.0, closed.1),
            Expect::OurNamed(had) => link.server().has_by_name(&had.0, had.1),
            Expect::Execute(Some(early)) => self.undo_early(*early),
            Expect::Unnamed(before) => self.unnamed_skipped(before),
            Expect::OurUnnamed => link.unnamed_here = false,
            // It is still there: it must be closed before it is prepared again.
            Expect::OurClose(id) => link.server().forget(id),
            _ => {}
        }
    }

    /// A statement's plan is stale, or the server has lost it: it is made anew when it is next used. A batch of which
    /// the client has seen nothing is sent again at once. Whether the client is to see the error.
    fn heal(&mut self, statement: &Arc<Statement>, redescribed: bool) -> bool {
        self.metrics.healed.increment();
        if statement.repeated.is_some() {
            self.renew(statement);
        }
        let Some(link) = &mut self.link else { return true };
        if statement.repeated.is_none() {
            link.server().forget(statement.id);
        }
        let again = link.batch.state == BatchState::Whole
            && !link.batch.answered
            && redescribed
            && link.expected.len() == 1
            && link.status == Status::Idle
            && link.to_server.is_empty();
        if again {
            link.batch.state = BatchState::Again;
        }
        !again
    }

    /// Sends a batch again after its statement was forgotten.
    fn send_again(&mut self) {
        let Some(link) = &mut self.link else { return };
        link.batch.state = BatchState::Spent;
        let mut input = std::mem::take(&mut link.batch.bytes);
        link.fresh = true;
        input.extend_from_slice(&self.input);
        self.input = input;
    }

    /// What becomes of an answer to a question of ours.
    fn our_answer(&mut self, what: Ours) -> Result<(), End> {
        let Some(link) = &mut self.link else { return Ok(()) };
        link.server().info.set_ours(false);
        let answer = std::mem::take(&mut link.answer);
        let error = link.our_error.take();
        match (what, error) {
            (Ours::Check, None) => {
                link.hold = !link.expected.is_empty();
                Ok(())
            }
            (Ours::Check, Some(_)) => {
                link.unfit = true;
                Ok(())
            }
            (Ours::Settings | Ours::Encoding, error) => self.handed_over(what, error),
            (Ours::Audit, None) => {
                self.audited(answer);
                Ok(())
            }
            (Ours::Audit, Some(_)) if !link.server().parameters.is_utf8() => {
                // Something that the client's encoding does not have.
                link.unsayable = true;
                self.audited(Vec::new());
                Ok(())
            }
            (Ours::Audit, Some((_, message))) => {
                Err(End::ServerLost(format!("the state of the session cannot be learned: {message}")))
            }
            (Ours::Prepare, None) => Ok(()),
            (Ours::Pause, _) => {
                link.hold = false;
                Ok(())
            }
            // The client's own command fails next, for the same reason; what the server has is uncertain.
            (Ours::Prepare, Some(_)) => {
                link.doubtful = true;
                Ok(())
            }
        }
    }
}

/// Whether an error, met where a statement is bound or described, says that the server has it no more, or may come from
/// what it was prepared for.
fn is_outdated(statement: &Statement, fields: &ErrorFields<'_>) -> bool {
    match fields.code() {
        Some("26000") => true,
        Some("0A000") => fields.message() == STALE_PLAN || fields.get(field::ROUTINE) == Some(REVALIDATION),
        // Rights are looked at each time.
        Some("42501") | None => false,
        // A statement prepared for this use alone would know the columns' types of now, and those made anew ("cache lookup
        // failed for type", which is an internal error).
        Some(code) => {
            statement.repeated.is_some()
                && (code.starts_with("22") || code.starts_with("42") || code == "XX000")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statements::Statements;
    use deepwater_pgwire::sql::{Strings, Verdict};

    #[test]
    fn a_plan_that_does_not_fit_is_known_in_every_language() {
        let statement =
            Statements::default().intern(b"SELECT 1", &[0, 0], Strings::Standard, Some(0), Verdict::default);
        let outdated = |payload: &[u8]| is_outdated(&statement, &ErrorFields::new(payload));
        assert!(outdated(b"SERROR\0C0A000\0Mcached plan must not change result type\0\0"));
        assert!(outdated(
            b"SFEHLER\0C0A000\0Mgecachter Plan darf den Ergebnistyp nicht \xc3\xa4ndern\0RRevalidateCachedQuery\0\0"
        ));
        assert!(!outdated(b"SERROR\0C0A000\0Mnot supported\0RtransformLockingClause\0\0"));
        assert!(!outdated(b"SERROR\0C22P02\0Minvalid input syntax\0\0"), "the client has prepared it itself");
    }
}
