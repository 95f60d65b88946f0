//! What a key is found by, and what a repeat is compared by.

use std::fmt;

use aws_lc_rs::digest::{Context, SHA256};

/// A SHA-256 over parts, none of which can pass for a piece of another.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Digest([u8; 32]);

impl Digest {
    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// In hexadecimal digits.
    pub fn hex(&self) -> String {
        use fmt::Write as _;
        let mut digits = String::with_capacity(64);
        for byte in self.0 {
            // Writing to a string cannot fail.
            let _ = write!(digits, "{byte:02x}");
        }
        digits
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.hex())
    }
}

/// A digest in the making.
pub(crate) struct Digesting(Context);

impl Digesting {
    /// For one use: digests for different ones are never equal.
    pub fn new(purpose: &str) -> Self {
        let mut this = Self(Context::new(&SHA256));
        this.part(purpose.as_bytes());
        this
    }

    /// Adds a part.
    pub fn part(&mut self, bytes: &[u8]) {
        self.0.update(&(bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
    }

    /// Adds the parts of a list, and how many there are.
    pub fn list<'p>(&mut self, parts: impl Iterator<Item = &'p [u8]>) {
        let mut count = 0_u64;
        for part in parts {
            count += 1;
            self.part(part);
        }
        // After the parts: no length is as large as all ones.
        self.0.update(&u64::MAX.to_be_bytes());
        self.0.update(&count.to_be_bytes());
    }

    /// The digest of all parts.
    pub fn finish(self) -> Digest {
        let mut digest = [0; 32];
        digest.copy_from_slice(self.0.finish().as_ref());
        Digest(digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(parts: &[&[u8]]) -> Digest {
        let mut digesting = Digesting::new("test");
        parts.iter().for_each(|part| digesting.part(part));
        digesting.finish()
    }

    fn of_lists(lists: &[&[&[u8]]]) -> Digest {
        let mut digesting = Digesting::new("test");
        lists.iter().for_each(|list| digesting.list(list.iter().copied()));
        digesting.finish()
    }

    #[test]
    fn where_a_part_ends_counts() {
        assert_eq!(of(&[b"ab", b"c"]), of(&[b"ab", b"c"]));
        assert_ne!(of(&[b"ab", b"c"]), of(&[b"a", b"bc"]));
        assert_ne!(of(&[b"abc"]), of(&[b"abc", b""]));
        assert_ne!(of_lists(&[&[b"a"], &[]]), of_lists(&[&[], &[b"a"]]));
        assert_ne!(of_lists(&[&[b"a", b"b"]]), of_lists(&[&[b"a"], &[b"b"]]));
        assert_ne!(Digesting::new("a").finish(), Digesting::new("b").finish());
        assert_eq!(of(&[]).hex().len(), 64);
    }
}
