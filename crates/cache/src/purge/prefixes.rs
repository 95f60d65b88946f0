//! Purges by prefix: a short list, newest first.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use arc_swap::ArcSwap;

use super::table::verdict;
use super::{Mode, Validity};

/// Prefixes remembered apart.
pub(super) const MOST_PREFIXES: usize = 256;
/// Bytes of a prefix; a longer one is cut, and purges more.
const LONGEST_PREFIX: usize = 1024;

#[derive(Debug, Clone, PartialEq)]
struct Entry {
    prefix: Box<[u8]>,
    purged: Purged,
}

/// When something was purged last; 0 for never.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Purged {
    pub(super) hard: u64,
    pub(super) soft: u64,
}

impl Purged {
    fn at(mode: Mode, epoch: u64) -> Self {
        match mode {
            Mode::Hard => Self { hard: epoch, soft: 0 },
            Mode::Soft => Self { hard: 0, soft: epoch },
        }
    }

    fn last(self) -> u64 {
        self.hard.max(self.soft)
    }

    fn and(self, other: Self) -> Self {
        Self { hard: self.hard.max(other.hard), soft: self.soft.max(other.soft) }
    }

    /// Whether a later purge of the same objects leaves nothing of this one to be known.
    fn is_covered_by(self, later: Self) -> bool {
        self.last() <= later.hard || (self.hard <= later.hard && self.soft <= later.soft)
    }
}

/// The list. Adding takes turns; reading takes no lock.
#[derive(Debug, Default)]
pub(super) struct Prefixes {
    /// By their last purge, newest first.
    entries: ArcSwap<Vec<Entry>>,
    /// The last purge of all.
    last: AtomicU64,
}

impl Prefixes {
    /// Notes a purge. Returns an older one that there was no room for: everything is to be purged as of then.
    pub(super) fn add(&self, prefix: &[u8], mode: Mode, epoch: u64) -> Option<Purged> {
        let mut added = Entry {
            prefix: prefix[..prefix.len().min(LONGEST_PREFIX)].into(),
            purged: Purged::at(mode, epoch),
        };
        let mut entries = Vec::clone(&self.entries.load());
        if let Some(same) = entries.iter().find(|entry| entry.prefix == added.prefix) {
            added.purged = added.purged.and(same.purged);
        }
        let covered = |entry: &Entry| {
            entry.prefix.starts_with(&added.prefix) && entry.purged.is_covered_by(added.purged)
        };
        entries.retain(|entry| !covered(entry));
        entries.insert(0, added);
        let dropped = if entries.len() > MOST_PREFIXES { make_room(&mut entries) } else { None };
        self.entries.store(Arc::new(entries));
        self.last.store(epoch, Relaxed);
        dropped
    }

    /// Whether there was a purge after `epoch`.
    #[inline]
    pub(super) fn any_after(&self, epoch: u64) -> bool {
        self.last.load(Relaxed) > epoch
    }

    /// What is left of an object as old as `born` with this URL. No purge up to `valid_until` concerns it.
    pub(super) fn state(&self, born: u64, valid_until: u64, url: &[u8]) -> Validity {
        let entries = self.entries.load();
        let later = entries.iter().take_while(|entry| entry.purged.last() > valid_until);
        let concerned = later.filter(|entry| url.starts_with(&entry.prefix));
        let verdicts = concerned.map(|entry| verdict(born, entry.purged.hard, entry.purged.soft));
        verdicts.max().unwrap_or(Validity::Valid)
    }

    pub(super) fn len(&self) -> usize {
        self.entries.load().len()
    }
}

/// Makes two entries of the same host one: those with the longest prefix in common. With one entry for every
/// host, the oldest is taken out and returned.
fn make_room(entries: &mut Vec<Entry>) -> Option<Purged> {
    let mut order: Vec<usize> = (0..entries.len()).collect();
    order.sort_unstable_by(|a, b| entries[*a].prefix.cmp(&entries[*b].prefix));
    let common = |pair: &[usize]| common_prefix(&entries[pair[0]].prefix, &entries[pair[1]].prefix);
    let pairs = order.windows(2).map(|pair| (common(pair), pair));
    let within_a_host = pairs.filter(|(common, pair)| entries[pair[0]].prefix[..*common].contains(&b'/'));
    let Some((common, pair)) = within_a_host.max_by_key(|(common, _)| *common) else {
        return entries.pop().map(|oldest| oldest.purged);
    };
    let (newer, older) = (pair[0].min(pair[1]), pair[0].max(pair[1]));
    let purged = entries[newer].purged.and(entries[older].purged);
    let prefix = entries[newer].prefix[..common].into();
    // The newer's last purge is the later of both: the order stays.
    entries[newer] = Entry { prefix, purged };
    entries.remove(older);
    None
}

fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn state(prefixes: &Prefixes, born: u64, url: &str) -> Validity {
        prefixes.state(born, born, url.as_bytes())
    }

    #[test]
    fn a_prefix_purges_what_is_under_it() {
        let prefixes = Prefixes::default();
        prefixes.add(b"a.example/img/", Mode::Hard, 5);
        assert_eq!(state(&prefixes, 4, "a.example/img/1.png"), Validity::Hard);
        assert_eq!(state(&prefixes, 5, "a.example/img/1.png"), Validity::Valid);
        assert_eq!(state(&prefixes, 4, "a.example/css"), Validity::Valid);
        assert_eq!(state(&prefixes, 4, "b.example/img/1.png"), Validity::Valid);
        assert!(prefixes.any_after(4) && !prefixes.any_after(5));
    }

    #[test]
    fn what_a_later_purge_covers_is_forgotten() {
        let prefixes = Prefixes::default();
        prefixes.add(b"a/x/1", Mode::Hard, 1);
        prefixes.add(b"a/x/2", Mode::Soft, 2);
        prefixes.add(b"a/x/", Mode::Soft, 3);
        assert_eq!(prefixes.len(), 2);
        assert_eq!(state(&prefixes, 0, "a/x/1"), Validity::Hard);
        assert_eq!(state(&prefixes, 1, "a/x/1"), Validity::Soft);
        prefixes.add(b"a/", Mode::Hard, 4);
        assert_eq!(prefixes.len(), 1);
        prefixes.add(b"a/", Mode::Soft, 5);
        assert_eq!(prefixes.len(), 1);
        assert_eq!(
            (state(&prefixes, 3, "a/b"), state(&prefixes, 4, "a/b")),
            (Validity::Hard, Validity::Soft)
        );
    }

    #[test]
    fn close_prefixes_become_one() {
        let prefixes = Prefixes::default();
        for n in 0..1000_u64 {
            let prefix = format!("shop.example/products/{n:04}/");
            assert_eq!(prefixes.add(prefix.as_bytes(), Mode::Hard, n + 1), None);
        }
        assert_eq!(prefixes.len(), MOST_PREFIXES);
        for n in 0..1000_u64 {
            assert_eq!(state(&prefixes, n, &format!("shop.example/products/{n:04}/a")), Validity::Hard);
        }
        assert_eq!(state(&prefixes, 0, "shop.example/images/"), Validity::Valid);
    }

    #[test]
    fn hosts_are_not_mixed() {
        let prefixes = Prefixes::default();
        let mut horizon = 0;
        for n in 0..400_u64 {
            let prefix = format!("shop{n}.example/");
            if let Some(dropped) = prefixes.add(prefix.as_bytes(), Mode::Hard, n + 1) {
                horizon = dropped.hard;
            }
        }
        assert_eq!((prefixes.len(), horizon), (MOST_PREFIXES, 400 - MOST_PREFIXES as u64));
        assert_eq!(state(&prefixes, 0, "other.example/"), Validity::Valid);
    }

    #[test]
    fn a_long_prefix_is_cut() {
        let prefixes = Prefixes::default();
        prefixes.add(&[b'a'; 5000], Mode::Hard, 1);
        assert_eq!(prefixes.state(0, 0, &[b'a'; LONGEST_PREFIX]), Validity::Hard);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        /// Whatever is merged and forgotten, nothing that was purged is valid.
        #[test]
        fn the_list_never_purges_less(
            purges in prop::collection::vec(("[ab]{1,2}(/[abc]{0,6}){0,3}", any::<bool>()), 1..600),
            urls in prop::collection::vec("[ab]{1,2}(/[abc]{0,6}){0,3}", 1..20),
        ) {
            let prefixes = Prefixes::default();
            let (mut hard, mut soft) = (0, 0);
            for (epoch, (prefix, is_hard)) in (1..).zip(&purges) {
                let mode = if *is_hard { Mode::Hard } else { Mode::Soft };
                if let Some(dropped) = prefixes.add(prefix.as_bytes(), mode, epoch) {
                    (hard, soft) = (hard.max(dropped.hard), soft.max(dropped.soft));
                }
                prop_assert!(prefixes.len() <= MOST_PREFIXES);
            }
            for url in &urls {
                for born in 0..purges.len() as u64 {
                    let after = (1..).zip(&purges).filter(|(epoch, (prefix, _))| {
                        *epoch > born && url.starts_with(prefix.as_str())
                    });
                    let expected = after.map(|(_, (_, hard))| if *hard { Validity::Hard } else { Validity::Soft }).max();
                    let found = state(&prefixes, born, url).max(verdict(born, hard, soft));
                    prop_assert!(found >= expected.unwrap_or(Validity::Valid));
                }
            }
            let entries = prefixes.entries.load();
            prop_assert!(entries.is_sorted_by_key(|entry| std::cmp::Reverse(entry.purged.last())));
        }
    }
}
