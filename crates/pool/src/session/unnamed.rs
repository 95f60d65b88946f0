//! The client's statement without a name: the server may have another client's, or lose it.

use deepwater_pgwire::message;
use deepwater_pgwire::message::frontend::{Kind, write as frontend};
use deepwater_pgwire::sql::Verdict;

use super::Session;
use super::end::End;
use super::expect::{Expect, Unnamed};
use super::out::Out;

impl Session {
    /// Makes the server's unnamed statement the client's, before a message that uses it. The client may have made it on
    /// another server; and what is there may be another client's.
    pub(super) fn bring_unnamed(&mut self, out: &mut Out<'_>) {
        let Some(link) = &mut self.link else { return };
        if link.unnamed_here {
            return;
        }
        link.unnamed_here = true;
        match self.names.kept.as_ref().filter(|kept| kept.has_unnamed) {
            Some(kept) => {
                let mut payload = vec![0];
                payload.extend_from_slice(&kept.unnamed);
                message::raw(out.own(), message::frontend::PARSE, &payload);
                link.expected.push(Expect::OurUnnamed);
            }
            None => {
                frontend::close(out.own(), Kind::Statement, "");
                link.expected.push(Expect::OurUnnamed);
            }
        }
    }

    /// Takes out the unnamed statement, before it is another one, if an error ahead in the batch may have that skipped.
    pub(super) fn unnamed_before(&mut self) -> Option<Box<Unnamed>> {
        let link = self.link.as_ref().filter(|link| link.open_batch && !link.expected.is_empty())?;
        let here = link.unnamed_here;
        Some(Box::new(Unnamed { statement: self.names.take_unnamed(), here }))
    }

    /// The unnamed statement is what it was; gone if nothing was kept.
    pub(super) fn bring_back_unnamed(&mut self, before: Option<Box<Unnamed>>) {
        let Some(before) = before else { return self.names.drop_unnamed() };
        let Unnamed { statement, here } = *before;
        self.names.put_unnamed(statement);
        if let Some(link) = &mut self.link {
            // A question of ours ends it on the server.
            link.unnamed_here = here && !link.expected.has_question();
        }
    }

    /// The unnamed statement runs.
    pub(super) fn run_unnamed(&mut self, portal: &[u8], out: &mut Out<'_>) -> Result<(), End> {
        let verdict = self.names.kept.as_mut().and_then(|kept| kept.unnamed_verdict.take());
        let Some(verdict) = verdict else { return self.note_extended(portal, &[], &Verdict::default()) };
        let mut unnamed = std::mem::take(&mut self.names.kept().unnamed);
        let text = unnamed.split(|byte| *byte == 0).next().unwrap_or_default();
        let noted = self.bring_for(&verdict, out).and_then(|()| self.note_extended(portal, text, &verdict));
        let kept = self.names.kept();
        std::mem::swap(&mut kept.unnamed, &mut unnamed);
        kept.unnamed_verdict = Some(verdict);
        noted
    }

    /// What makes or ends the client's statement without a name was skipped: it is what it was before.
    pub(super) fn unnamed_skipped(&mut self, before: Option<Box<Unnamed>>) {
        let Some(link) = &mut self.link else { return };
        link.unnamed_here = false;
        match link.expected.first_unnamed() {
            // The client has made another behind it, which may be skipped, too.
            Some(Expect::Unnamed(next) | Expect::FakeUnnamed(next)) if next.is_some() => *next = before,
            Some(_) => {}
            None => self.bring_back_unnamed(before),
        }
    }
}
