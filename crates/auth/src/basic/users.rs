//! Users and their stored passwords.

use std::collections::HashMap;
use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};
use foldhash::fast::RandomState;

use super::hash::{HashFault, StoredHash};

/// What is wrong with a list of users.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UserFault {
    /// A line of a file that is not `name:hash`. Counted from 1.
    #[error("line {0} is not `name:hash`")]
    Line(usize),
    /// A hash that cannot be used. Whose.
    #[error("the password of `{0}`: {1}")]
    Hash(String, HashFault),
    /// A name with a colon or a control character, or none.
    #[error("`{0}` is no name that a client can send")]
    Name(String),
    /// A name that is there twice.
    #[error("`{0}` is there twice")]
    Twice(String),
    /// There is none.
    #[error("there is no user")]
    Empty,
}

/// Users by name.
#[derive(Debug)]
pub struct Users {
    by_name: HashMap<Arc<str>, usize, RandomState>,
    hashes: Vec<(Arc<str>, StoredHash)>,
    generation: u64,
}

impl Users {
    /// Reads a file as `htpasswd` writes it: `name:hash` a line; empty lines and those that start with `#` are skipped.
    ///
    /// # Errors
    /// The first line that cannot be used; nothing of a hash is quoted.
    pub fn from_htpasswd(text: &str) -> Result<Self, UserFault> {
        let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
        let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        let users = lines.map(|(number, line)| line.split_once(':').ok_or(UserFault::Line(number)));
        Self::new(users.collect::<Result<Vec<_>, _>>()?)
    }

    /// Names and hashes.
    ///
    /// # Errors
    /// The first that cannot be used.
    pub fn new<'u>(users: impl IntoIterator<Item = (&'u str, &'u str)>) -> Result<Self, UserFault> {
        let mut this = Self { by_name: HashMap::default(), hashes: Vec::new(), generation: 0 };
        let mut context = Context::new(&SHA256);
        for (name, hash) in users {
            if name.is_empty() || name.contains(|c: char| c == ':' || c.is_control()) {
                return Err(UserFault::Name(name.escape_debug().to_string()));
            }
            let hash = StoredHash::parse(hash).map_err(|fault| UserFault::Hash(name.to_owned(), fault))?;
            context.update(name.as_bytes());
            context.update(b":");
            context.update(hash.text().as_bytes());
            context.update(b"\n");
            let name: Arc<str> = name.into();
            if this.by_name.insert(Arc::clone(&name), this.hashes.len()).is_some() {
                return Err(UserFault::Twice(name.to_string()));
            }
            this.hashes.push((name, hash));
        }
        if this.hashes.is_empty() {
            return Err(UserFault::Empty);
        }
        let mut generation = [0; 8];
        generation.copy_from_slice(&context.finish().as_ref()[..8]);
        this.generation = u64::from_be_bytes(generation);
        Ok(this)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.hashes.len()
    }

    /// Whether there are none; there always are.
    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// A number that is another when the users are others.
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// The user of a name and what is stored. For a name that nobody has, what is stored of somebody, always the same for
    /// the same `chance`, so that refusing takes as long as for a user who exists.
    pub(super) fn find(&self, name: &str, chance: u64) -> (Option<Arc<str>>, StoredHash) {
        match self.by_name.get(name) {
            Some(index) => {
                let (name, hash) = &self.hashes[*index];
                (Some(Arc::clone(name)), hash.clone())
            }
            // The remainder is less than the number of users, which is not 0.
            None => (None, self.hashes[(chance % self.hashes.len() as u64) as usize].1.clone()),
        }
    }
}
