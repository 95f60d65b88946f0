//! LISTEN and UNLISTEN outside a transaction: the listener that all clients of the pool share does it, and no server is
//! held for it.

use deepwater_pgwire::message::backend::{Status, write};
use deepwater_pgwire::message::frontend::{self, BindNames, Execute, Kind, Parse, Target, write as ask};
use deepwater_pgwire::message::{self, HEADER_BYTES};
use deepwater_pgwire::sql::{self, Statement, Verdict};

use super::Session;
use super::expect::{Expect, Ours};
use super::link::Link;
use super::out::Out;

/// No types of parameters.
const NO_TYPES: [u8; 2] = [0, 0];

impl Session {
    /// A simple query; whether it was one of them and nothing else.
    pub(super) fn listen_by_query(&mut self, payload: &[u8]) -> bool {
        if !self.is_tracked() {
            return false;
        }
        let Ok(text) = frontend::query_text(payload) else { return false };
        if !may_be_one(text) {
            return false;
        }
        only(&sql::read_with(text, self.parameters.strings())).is_some_and(|statement| self.listen(statement))
    }

    /// A batch of the extended protocol that runs one of them and nothing else, and is here up to its Sync: how long it is.
    /// Any other is the server's, and pins the client if it listens.
    pub(super) fn listen_by_batch(&mut self, data: &[u8]) -> Option<usize> {
        if !self.is_tracked() {
            return None;
        }
        let (batch, statement) = self.listen_in(data)?;
        if let Some(parse) = batch.parse {
            // It may be bound again.
            self.names.keep_unnamed(batch.unnamed, sql::read_with(parse.query, self.parameters.strings()));
            write::parse_complete(&mut self.to_client);
        }
        let out = &mut self.to_client;
        write::bind_complete(out);
        if batch.described {
            write::no_data(out);
        }
        self.listen(&statement);
        Some(batch.total)
    }

    /// The same where the client has a server, on which it has prepared it and left the batch open (asyncpg does). The
    /// batch, of which nothing has run, is ended for it: once the server is given back, what comes is looked at again.
    pub(super) fn pause_to_listen(&mut self, data: &[u8], out: &mut Out<'_>) -> bool {
        let prepared_only = |link: &Link| {
            link.status == Status::Idle
                && link.open_batch
                && !link.bound
                && !link.skipping
                && link.expected.is_empty()
        };
        if !self.names.listen()
            || self.pins != 0
            || !self.is_tracked()
            || !self.link.as_deref().is_some_and(prepared_only)
            || self.listen_in(data).is_none()
        {
            return false;
        }
        let Some(link) = &mut self.link else { return false };
        link.batch.stop();
        (link.open_batch, link.hold) = (false, true);
        link.expected.push(Expect::Ours(Ours::Pause));
        ask::sync(out.own());
        true
    }

    /// The batch, if it is one, and which of them it runs.
    fn listen_in<'d>(&self, data: &'d [u8]) -> Option<(Batch<'d>, Statement)> {
        let batch = Batch::read(data, self.names.listen())?;
        let statement = match batch.parse {
            Some(parse) => only(&sql::read_with(parse.query, self.parameters.strings())).cloned()?,
            None => only(self.names.verdict(batch.statement)?).cloned()?,
        };
        let is_one =
            matches!(statement, Statement::Listen(_) | Statement::Unlisten(_) | Statement::UnlistenAll);
        is_one.then_some((batch, statement))
    }

    /// Has it done; whether it is one of them. A LISTEN is answered once the server has confirmed it.
    fn listen(&mut self, statement: &Statement) -> bool {
        let listeners = &self.worker.shared.listeners;
        match statement {
            Statement::Listen(channel) => {
                self.listens = true;
                let word = listeners.listen(&self.worker, &self.pool, channel, &self.info);
                self.listening = Some((word, "LISTEN"));
                return true;
            }
            Statement::Unlisten(channel) => listeners.unlisten(&self.pool, channel, &self.info),
            Statement::UnlistenAll => self.forget_channels(),
            _ => return false,
        }
        write::command_complete(&mut self.to_client, "UNLISTEN");
        self.say_ready();
        true
    }
}

/// The one statement of a text that does something to the session.
fn only(verdict: &Verdict) -> Option<&Statement> {
    match verdict.session.as_slice() {
        [statement] if verdict.statements == 1 => Some(statement),
        _ => None,
    }
}

/// Whether a text may be one of them, by how it begins.
fn may_be_one(text: &[u8]) -> bool {
    let first = text.iter().find(|byte| !byte.is_ascii_whitespace());
    first.is_some_and(|first| matches!(first, b'l' | b'L' | b'u' | b'U' | b'/' | b'-'))
}

/// Bind, Execute and Sync of a statement without parameters, with a Parse before them or none, and a Describe or none.
struct Batch<'a> {
    parse: Option<Parse<'a>>,
    /// What is prepared without a name: text and types.
    unnamed: &'a [u8],
    statement: &'a [u8],
    described: bool,
    total: usize,
}

impl<'a> Batch<'a> {
    /// Reads it if it may run one of them: `prepared` says so of a statement that was prepared before.
    fn read(data: &'a [u8], prepared: bool) -> Option<Self> {
        let mut at = 0;
        let mut next = || {
            let header = message::header(&data[at..]).ok()??;
            let payload = data.get(at + HEADER_BYTES..at + header.total())?;
            at += header.total();
            Some((header.tag, payload))
        };
        let (mut tag, mut payload) = next()?;
        let (mut parse, mut unnamed) = (None, &[][..]);
        if tag == frontend::PARSE {
            // The unnamed one, which nobody else may bind.
            unnamed = payload.strip_prefix(&[0]).filter(|text| may_be_one(text))?;
            parse = Some(Parse::read(payload).ok().filter(|parse| parse.types == NO_TYPES)?);
            (tag, payload) = next()?;
        }
        if tag != frontend::BIND || !(prepared || parse.is_some()) {
            return None;
        }
        let names = BindNames::read(payload).ok()?;
        let fits = names.portal.is_empty() && (names.statement.is_empty() || parse.is_none());
        if !fits || !has_no_values(&payload[names.rest..]) {
            return None;
        }
        (tag, payload) = next()?;
        let described = tag == frontend::DESCRIBE;
        if described {
            Target::read(payload).ok().filter(|it| it.kind == Kind::Portal && it.name.is_empty())?;
            (tag, payload) = next()?;
        }
        if tag != frontend::EXECUTE || !Execute::read(payload).ok()?.portal.is_empty() {
            return None;
        }
        (tag, _) = next()?;
        (tag == frontend::SYNC).then_some(Self {
            parse,
            unnamed,
            statement: names.statement,
            described,
            total: at,
        })
    }
}

/// Whether what follows the names in a Bind has no values: a count of formats and that many, and then a count of nought.
fn has_no_values(rest: &[u8]) -> bool {
    let Some((formats, rest)) = rest.split_first_chunk() else { return false };
    let formats = 2 * usize::from(u16::from_be_bytes(*formats));
    rest.get(formats..formats + 2) == Some(&[0, 0])
}

#[cfg(test)]
mod tests {
    use deepwater_pgwire::message::frontend::write;

    use super::*;

    fn batch(statement: &str, parse: Option<&str>) -> Vec<u8> {
        let mut bytes = Vec::new();
        parse.iter().for_each(|text| write::parse(&mut bytes, "", text, &NO_TYPES));
        deepwater_pgwire::message::raw(
            &mut bytes,
            frontend::BIND,
            &[b"\0", statement.as_bytes(), b"\0\0\0\0\0\0\0"].concat(),
        );
        deepwater_pgwire::message::raw(&mut bytes, frontend::EXECUTE, b"\0\0\0\0\0");
        write::sync(&mut bytes);
        bytes
    }

    #[test]
    fn a_batch_is_read_whole_or_not_at_all() {
        let unnamed = batch("", Some("LISTEN a"));
        let found = Batch::read(&unnamed, false).expect("one of them");
        assert_eq!(
            (found.parse.map(|parse| parse.query), found.total),
            (Some(&b"LISTEN a"[..]), unnamed.len())
        );
        for end in 0..unnamed.len() {
            assert!(Batch::read(&unnamed[..end], true).is_none(), "{end}");
        }
        let named = batch("mine", None);
        assert_eq!(Batch::read(&named, true).expect("it may be").statement, b"mine");
        assert!(Batch::read(&named, false).is_none(), "none was prepared");
        assert!(
            Batch::read(&batch("mine", Some("LISTEN a")), true).is_none(),
            "another than it has prepared"
        );
        // What comes behind is not looked at.
        let twice = [unnamed.clone(), unnamed.clone()].concat();
        assert_eq!(Batch::read(&twice, false).map(|found| found.total), Some(unnamed.len()));
        assert!(Batch::read(&batch("", Some("SELECT 1")), true).is_none());
    }

    #[test]
    fn whatever_a_bind_says_is_no_panic() {
        for rest in [&b""[..], b"\0", b"\0\0", b"\0\0\0", b"\xff\xff\0\0", b"\0\x01\0\0\0\x01"] {
            assert!(!has_no_values(rest), "{rest:?}");
        }
        assert!(has_no_values(b"\0\0\0\0") && has_no_values(b"\0\x01\0\x01\0\0\0\0"));
    }
}
