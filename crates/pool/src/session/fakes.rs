//! Answers that no server gives: the server has the statement already, or keeps what its client closes.

use deepwater_pgwire::message::backend::write as backend;

use super::Session;
use super::expect::Expect;
use super::out::Out;

impl Session {
    /// Answers in place of the server: at once, or when it is its turn.
    pub(super) fn fake(&mut self, fake: Expect) {
        let Some(link) = &mut self.link else { return };
        link.open_batch = true;
        let is_next = link.expected.is_empty();
        link.expected.push(fake);
        if is_next {
            self.flush_fakes();
        }
    }

    /// Gives the client the answers that no server gives, once it is their turn.
    #[inline]
    pub(super) fn pass_fakes(&mut self, out: &mut Out<'_>) {
        if self.link.as_ref().and_then(|link| link.expected.front()).is_some_and(Expect::is_fake) {
            self.write_fakes(out.own());
        }
    }

    /// The same where the server may have nothing to say: it was told to say what it has, or asked nothing.
    pub(super) fn flush_fakes(&mut self) {
        let mut to_client = std::mem::take(&mut self.to_client);
        self.write_fakes(&mut to_client);
        self.to_client = to_client;
    }

    fn write_fakes(&mut self, to: &mut Vec<u8>) {
        let Some(link) = &mut self.link else { return };
        while let Some(fake) = link.expected.front().filter(|expect| expect.is_fake()) {
            match fake {
                Expect::FakeParse(_) | Expect::FakeUnnamed(_) => backend::parse_complete(to),
                _ => backend::close_complete(to),
            }
            link.expected.pop();
            // As long as all answers were ours, what the batch begins with need not be sent again.
            if !link.batch.answered {
                link.batch.drop_first();
            }
        }
    }
}
