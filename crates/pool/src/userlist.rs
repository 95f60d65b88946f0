//! The file of users and passwords, as PgBouncer's `auth_file` is written: `"name" "secret"`, one a line.

use std::collections::BTreeMap;
use std::fmt;

use deepwater_core::config::Problems;

use crate::lines::{Fault, Lines};

/// Users and what is stored of their passwords: the password, `md5…` or `SCRAM-SHA-256$…`. Prints the names only.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Userlist(BTreeMap<String, String>);

impl Userlist {
    /// Reads the text of a file; `file` is what problems call it. The last line of a user counts. Lines that start with
    /// `;` or `#` are comments, and whatever follows the second string of a line is ignored.
    ///
    /// # Errors
    /// Every line that is neither; none of its text is quoted, it may be a password.
    pub fn parse(text: &str, file: &str) -> Result<Self, Problems> {
        let mut users = BTreeMap::new();
        let mut lines = Lines::of(file);
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with([';', '#']) {
                continue;
            }
            match user(line) {
                Ok((name, secret)) => {
                    users.insert(name, secret);
                }
                Err(fault) => lines.report(index + 1, fault),
            }
        }
        Problems::into_result(lines.into_problems())?;
        Ok(Self(users))
    }

    /// What is stored of a user's password. An empty text is no password: nobody can log in with it.
    pub fn get(&self, user: &str) -> Option<&str> {
        self.0.get(user).map(String::as_str)
    }

    /// All users, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, secret)| (name.as_str(), secret.as_str()))
    }

    /// How many users there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Userlist {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

fn user(line: &str) -> Result<(String, String), Fault> {
    let form = "write it as \"name\" \"password\"";
    let fault = |what: &str| Fault::new(what).fix(form);
    if !line.starts_with('"') {
        return Err(fault("the line does not start with a name in double quotes"));
    }
    let (name, rest) = quoted(line).ok_or_else(|| fault("the name's closing quote is missing"))?;
    if name.is_empty() {
        return Err(fault("the name is empty"));
    }
    let Some(quote) = rest.find('"') else {
        return Err(fault("the name is not followed by a password in double quotes"));
    };
    let (secret, _) =
        quoted(&rest[quote..]).ok_or_else(|| fault("the password's closing quote is missing"))?;
    if name.contains('\0') || secret.contains('\0') {
        return Err(Fault::new("the line holds a zero byte").fix("remove it"));
    }
    Ok((name, secret))
}

/// The text between double quotes, two of which stand for one, and what follows.
pub(crate) fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut rest = text.strip_prefix('"')?;
    loop {
        let quote = rest.find('"')?;
        value.push_str(&rest[..quote]);
        rest = &rest[quote + 1..];
        let Some(after) = rest.strip_prefix('"') else { return Some((value, rest)) };
        value.push('"');
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_pgbouncer_reads() {
        let text = "; users\n# more\n\n\"app\" \"s3cret\"\n  \"we\"\"ird\" \"p\"\"w\"\"\" \"ignored\" rest\r\n\
                    \"scram\"\t\"SCRAM-SHA-256$4096:c2FsdA==$c3RvcmVk:c2VydmVy\"\n\"app\" \"later\"\n\"none\" \"\"";
        let users = Userlist::parse(text, "userlist.txt").unwrap();
        assert_eq!(users.get("app"), Some("later"));
        assert_eq!(users.get("we\"ird"), Some("p\"w\""));
        assert_eq!(users.get("none"), Some(""));
        assert_eq!(users.get("scram"), Some("SCRAM-SHA-256$4096:c2FsdA==$c3RvcmVk:c2VydmVy"));
        assert_eq!((users.len(), users.get("APP")), (4, None));
        assert_eq!(Userlist::parse("", "empty"), Ok(Userlist::default()));
    }

    #[test]
    fn names_every_broken_line_and_quotes_none() {
        let text = "app hunter2\n\"app\" hunter2\n\"app \"hunter2\n\"app\" \"hunter2\n\"\" \"hunter2\"\n\"a\" \"b\0c\"";
        let problems = Userlist::parse(text, "u.txt").unwrap_err();
        let lines: Vec<_> = problems.iter().map(|problem| problem.line).collect();
        assert_eq!(lines, (1..=6).map(Some).collect::<Vec<_>>());
        let printed = problems.to_string();
        assert!(!printed.contains("hunter2"), "{printed}");
        assert!(printed.starts_with("u.txt:1: the line does not start with a name"), "{printed}");
    }

    #[test]
    fn secrets_are_not_printed() {
        let users = Userlist::parse("\"app\" \"hunter2\"", "u").unwrap();
        assert_eq!(format!("{users:?}"), "{\"app\"}");
    }
}
