//! A set of things a text mentions.

use std::fmt;
use std::ops::{BitOr, BitOrAssign};

/// What a text mentions anywhere outside strings and comments, whether or not it comes to run.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Marks(u16);

impl Marks {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// A function that takes an advisory lock for the session: `pg_advisory_lock` and its relatives, those of the
    /// transaction (`…_xact_…`) excepted.
    pub const ADVISORY_LOCK: Self = Self(1);
    /// A function that gives up advisory locks of the session.
    pub const ADVISORY_UNLOCK: Self = Self(1 << 1);
    /// `set_config`.
    pub const SET_CONFIG: Self = Self(1 << 2);
    /// What cannot be understood and may change the session in any way: a `DO` block or a `CALL` that names what
    /// could, or more statements than [`super::MAX_STATEMENTS`].
    pub const OPAQUE: Self = Self(1 << 3);
    /// `NOTIFY` or `pg_notify`.
    pub const NOTIFY: Self = Self(1 << 4);
    /// Another function that binds to the session: named connections of dblink, backups, replication origins and
    /// slots (which may be temporary).
    pub const SESSION_FUNCTION: Self = Self(1 << 5);
    /// A setting is changed for the transaction that decides how literals are read ([`super::decides_literals`]), or one
    /// whose name is not plain to see.
    pub const LITERALS: Self = Self(1 << 6);
    /// What names mean, or may be done with them, changes for the transaction: a setting that decides it
    /// ([`super::decides_names`]), or a temporary object that may stand before another.
    pub const NAMES: Self = Self(1 << 7);
    /// What names mean changes for everybody: `CREATE`, `ALTER`, `DROP` and the like.
    pub const DEFINES: Self = Self(1 << 8);

    const ALL: [(Self, &'static str); 9] = [
        (Self::ADVISORY_LOCK, "ADVISORY_LOCK"),
        (Self::ADVISORY_UNLOCK, "ADVISORY_UNLOCK"),
        (Self::SET_CONFIG, "SET_CONFIG"),
        (Self::OPAQUE, "OPAQUE"),
        (Self::NOTIFY, "NOTIFY"),
        (Self::SESSION_FUNCTION, "SESSION_FUNCTION"),
        (Self::LITERALS, "LITERALS"),
        (Self::NAMES, "NAMES"),
        (Self::DEFINES, "DEFINES"),
    ];

    /// Whether all of `other` is in it.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any of `other` is in it.
    pub fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether there is nothing in it.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl BitOr for Marks {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Marks {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

impl fmt::Debug for Marks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = Self::ALL.iter().filter(|(mark, _)| self.contains(*mark)).map(|(_, name)| name);
        f.debug_set().entries(names).finish()
    }
}
