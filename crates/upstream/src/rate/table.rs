//! A hash table of buckets: open addressing with linear probing, so that an entry is 24 bytes and the table
//! can be walked a few entries at a time.

/// Entries looked at with each request: idle ones are removed.
const SWEEP: usize = 4;
/// Busy keys compared when one has to go.
const SAMPLE: usize = 8;
const SMALLEST: usize = 16;

/// A key's hash. Its halves are independent: one chooses the shard, the other the place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Key(pub(super) [u64; 2]);

impl Key {
    pub(super) fn shard(self, of: usize) -> usize {
        self.0[1] as usize & (of - 1)
    }
}

/// A key and when its bucket is full; 0 where there is none.
#[derive(Debug, Clone, Copy, Default)]
struct Entry {
    key: Key,
    full_at: u64,
}

/// The buckets of one shard.
#[derive(Debug)]
pub(super) struct Table {
    /// A power of two, never more than three quarters full.
    entries: Box<[Entry]>,
    len: usize,
    most: usize,
    /// Where the sweep goes on.
    cursor: usize,
    /// The latest time known.
    now: u64,
}

impl Table {
    /// An empty table for at most so many keys.
    pub(super) fn new(most: usize) -> Self {
        Self { entries: vec![Entry::default(); SMALLEST].into(), len: 0, most, cursor: 0, now: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Moves time on, never back, and returns it.
    pub(super) fn advance(&mut self, now: u64) -> u64 {
        self.now = self.now.max(now);
        self.now
    }

    /// When the key's bucket is full.
    pub(super) fn get(&self, key: Key) -> Option<u64> {
        let entry = &self.entries[self.find(key)];
        (entry.full_at != 0).then_some(entry.full_at)
    }

    /// Remembers when the key's bucket is full; whether a busy key had to be forgotten for it.
    pub(super) fn set(&mut self, key: Key, full_at: u64) -> bool {
        self.sweep_some();
        let position = self.find(key);
        if self.entries[position].full_at != 0 {
            self.entries[position].full_at = full_at;
            return false;
        }
        let full = self.len >= self.most;
        if full {
            self.forget_one();
        } else if (self.len + 1) * 4 > self.entries.len() * 3 {
            self.make_room();
        }
        let position = self.find(key);
        self.entries[position] = Entry { key, full_at };
        self.len += 1;
        full
    }

    /// Forgets every idle key and gives memory back.
    pub(super) fn sweep(&mut self, now: u64) {
        self.advance(now);
        self.rebuild();
    }

    /// Where the key is, or would be.
    fn find(&self, key: Key) -> usize {
        let mask = self.entries.len() - 1;
        let mut position = key.0[0] as usize & mask;
        while self.entries[position].full_at != 0 && self.entries[position].key != key {
            position = (position + 1) & mask;
        }
        position
    }

    fn is_idle(&self, position: usize) -> bool {
        let full_at = self.entries[position].full_at;
        full_at != 0 && full_at <= self.now
    }

    fn sweep_some(&mut self) {
        for _ in 0..SWEEP {
            if self.is_idle(self.cursor) {
                // Another entry may have moved here: the cursor stays.
                self.remove(self.cursor);
            } else {
                self.cursor = (self.cursor + 1) & (self.entries.len() - 1);
            }
        }
        // After a flood of keys the memory goes too.
        if self.entries.len() > SMALLEST && self.len * 8 < self.entries.len() {
            self.rebuild();
        }
    }

    /// Removes an entry and moves those behind it forward, so that no search ends too early (Knuth, The Art
    /// of Computer Programming 3, algorithm 6.4R).
    fn remove(&mut self, mut hole: usize) {
        let mask = self.entries.len() - 1;
        let mut next = hole;
        loop {
            next = (next + 1) & mask;
            let entry = self.entries[next];
            if entry.full_at == 0 {
                break;
            }
            let home = entry.key.0[0] as usize & mask;
            if (next.wrapping_sub(home) & mask) >= (next.wrapping_sub(hole) & mask) {
                self.entries[hole] = entry;
                hole = next;
            }
        }
        self.entries[hole] = Entry::default();
        self.len -= 1;
    }

    /// Forgets the busy key closest to idle, of the next few.
    fn forget_one(&mut self) {
        let mask = self.entries.len() - 1;
        let mut closest: Option<usize> = None;
        let mut seen = 0;
        for _ in 0..self.entries.len() {
            let position = self.cursor;
            self.cursor = (position + 1) & mask;
            if self.entries[position].full_at == 0 {
                continue;
            }
            if closest.is_none_or(|best| self.entries[position].full_at < self.entries[best].full_at) {
                closest = Some(position);
            }
            seen += 1;
            if seen == SAMPLE {
                break;
            }
        }
        if let Some(position) = closest {
            self.remove(position);
        }
    }

    fn make_room(&mut self) {
        self.rebuild();
        if (self.len + 1) * 8 > self.entries.len() * 3 {
            self.resize(self.entries.len() * 2);
        }
    }

    /// Drops the idle and makes the table as small as the rest allows.
    fn rebuild(&mut self) {
        let busy = self.entries.iter().filter(|entry| entry.full_at > self.now).count();
        let fitting = (busy * 2).next_power_of_two().max(SMALLEST);
        self.resize(fitting.min(self.entries.len()));
    }

    fn resize(&mut self, size: usize) {
        let old = std::mem::replace(&mut self.entries, vec![Entry::default(); size].into());
        (self.len, self.cursor) = (0, 0);
        for entry in old.iter().filter(|entry| entry.full_at > self.now) {
            let position = self.find(entry.key);
            self.entries[position] = *entry;
            self.len += 1;
        }
    }

    /// Bytes the entries take.
    #[cfg(test)]
    pub(super) fn size_bytes(&self) -> usize {
        std::mem::size_of_val(&*self.entries)
    }
}
