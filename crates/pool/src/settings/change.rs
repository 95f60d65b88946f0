//! What makes a connection with some settings one with others.

use super::{Settings, is_right};

/// Settings to be set, or put back to the connection's own default (None).
#[derive(Debug)]
pub(crate) struct Change<'a> {
    calls: Vec<(&'a str, Option<&'a str>)>,
}

impl Settings {
    /// What turns a connection with `self` into one with `wanted`; none if they are equal.
    pub(crate) fn change_to<'a>(&'a self, wanted: &'a Self) -> Option<Change<'a>> {
        if self == wanted {
            return None;
        }
        let gone = self.iter().filter(|(name, _)| wanted.get(name).is_none()).map(|(name, _)| (name, None));
        let new = wanted.iter().filter(|(name, value)| self.get(name) != Some(value));
        let mut calls: Vec<(&str, Option<&str>)> =
            gone.chain(new.map(|(name, value)| (name, Some(value)))).collect();
        // A change of the user ends the role.
        if calls.iter().any(|(name, _)| *name == "session_authorization")
            && let Some(role) = wanted.get("role")
            && calls.iter().all(|(name, _)| *name != "role")
        {
            calls.push(("role", Some(role)));
        }
        // Rights come first when they return to what they were, and last when they are given up.
        calls.sort_by_key(|(name, value)| match (*name, value) {
            ("role", None) => 0,
            ("session_authorization", None) => 1,
            ("session_authorization", Some(_)) => 3,
            ("role", Some(_)) => 4,
            _ => 2,
        });
        Some(Change { calls })
    }
}

impl<'a> Change<'a> {
    /// The settings that it changes.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'a str> {
        self.calls.iter().map(|(name, _)| *name)
    }

    /// Whether any of them decides what the client may do.
    pub(crate) fn holds_rights(&self) -> bool {
        self.names().any(is_right)
    }

    /// Whether it is the same in every encoding.
    pub(crate) fn is_ascii(&self) -> bool {
        self.calls.iter().all(|(name, value)| name.is_ascii() && value.is_none_or(str::is_ascii))
    }

    /// The one statement that does it. All or nothing, since it is one statement. A NULL value is the connection's own
    /// default (PostgreSQL, `set_config`).
    pub(crate) fn statement(&self) -> String {
        let mut text = String::from("SELECT ");
        for (at, (name, value)) in self.calls.iter().enumerate() {
            if at > 0 {
                text.push(',');
            }
            text.push_str("pg_catalog.set_config(");
            literal(&mut text, name);
            text.push(',');
            match value {
                Some(value) => literal(&mut text, value),
                None => text.push_str("NULL"),
            }
            text.push_str(",false)");
            if value.is_some_and(|value| !value.is_ascii()) {
                // An encoding that this statement sets may not have it.
                text.push_str(" IS NULL");
            }
        }
        text
    }
}

/// Appends a string literal that means the same whatever `standard_conforming_strings` is.
pub(crate) fn literal(out: &mut String, value: &str) {
    if value.contains('\\') {
        out.push_str(" E");
    }
    out.push('\'');
    for character in value.chars() {
        match character {
            '\'' => out.push_str("''"),
            '\\' => out.push_str("\\\\"),
            other => out.push(other),
        }
    }
    out.push('\'');
}
