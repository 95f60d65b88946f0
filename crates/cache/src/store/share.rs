//! How the bytes are divided between the queues: each is asked what more of them would have been worth.

/// Permille of the capacity the small queue starts with (S3-FIFO's tenth), and how far it may go.
const START: usize = 100;
const LEAST: usize = 50;
const MOST: usize = 900;
/// Votes between two decisions, and what a decision moves, permille.
const VOTES: u32 = 20;
const STEP: usize = 10;
/// Returns count as votes when so few others were dropped from the same queue meanwhile: one over it, of all
/// objects. A longer queue would have had them.
const RECENT: usize = 5;

/// The small queue's share. An object that comes back soon after a queue dropped it is a vote for that queue.
/// News and bursts want a small queue that is long enough for the second request; steady popularity wants none
/// of it. (The paper's S3-FIFO-D, with more votes counted.)
#[derive(Debug)]
pub(super) struct Share {
    permille: usize,
    votes: u32,
    small: u32,
}

/// A queue that wants more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Vote {
    Small,
    Main,
}

impl Share {
    pub(super) const fn new() -> Self {
        Self { permille: START, votes: 0, small: 0 }
    }

    /// What the small queue may hold of a capacity.
    pub(super) fn of(&self, capacity: usize) -> usize {
        // Divided first, a capacity near the largest number does not overflow.
        capacity / 1000 * self.permille + capacity % 1000 * self.permille / 1000
    }

    /// How many dropped objects to look back for votes, with so many stored.
    pub(super) const fn window(objects: usize) -> usize {
        objects / RECENT
    }

    pub(super) fn vote(&mut self, vote: Vote) {
        self.votes += 1;
        self.small += u32::from(vote == Vote::Small);
        if self.votes == VOTES {
            let for_main = VOTES - self.small;
            if self.small > for_main {
                self.permille = (self.permille + STEP).min(MOST);
            } else if self.small < for_main {
                self.permille = (self.permille - STEP).max(LEAST);
            }
            (self.votes, self.small) = (0, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(share: &mut Share, votes: u32, vote: Vote) -> usize {
        (0..votes).for_each(|_| share.vote(vote));
        share.permille
    }

    #[test]
    fn the_majority_moves_the_share() {
        let mut share = Share::new();
        assert_eq!(after(&mut share, VOTES - 1, Vote::Small), START);
        assert_eq!(after(&mut share, 1, Vote::Main), START + STEP);
        assert_eq!(after(&mut share, 1_000_000, Vote::Small), MOST);
        assert_eq!(after(&mut share, 1_000_000, Vote::Main), LEAST);
        for _ in 0..VOTES / 2 {
            share.vote(Vote::Small);
            share.vote(Vote::Main);
        }
        assert_eq!(share.permille, LEAST);
    }

    #[test]
    fn it_is_a_share_of_any_capacity() {
        let share = Share::new();
        assert_eq!([0, 9, 10, 1 << 20].map(|capacity| share.of(capacity)), [0, 0, 1, 104_857]);
        assert_eq!(share.of(usize::MAX), usize::MAX / 10);
    }
}
