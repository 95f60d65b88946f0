//! Maps from certificate or system names to users, in the form of `pg_ident.conf`.

use std::collections::BTreeMap;

use deepwater_core::config::Problems;

use super::parse::{Word, fields, no_patterns};
use crate::lines::{Fault, Lines};

/// The maps of one file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ident {
    /// By map: a name, and the user it stands for; `None` for any.
    maps: BTreeMap<String, Vec<(String, Option<String>)>>,
}

impl Ident {
    /// Reads the text of a file: `map system-name user` a line, `all` for any user. `file` is what problems call it.
    ///
    /// # Errors
    /// Every line that is not understood.
    pub fn parse(text: &str, file: &str) -> Result<Self, Problems> {
        let mut found = Self::default();
        let mut lines = Lines::of(file);
        for (index, line) in text.lines().enumerate() {
            match fields(line).and_then(|fields| found.add(&fields)) {
                Ok(()) => {}
                Err(fault) => lines.report(index + 1, fault),
            }
        }
        Problems::into_result(lines.into_problems())?;
        Ok(found)
    }

    /// Whether the map lets somebody of this name be the user. A map that does not exist lets nobody.
    pub fn map(&self, map: &str, name: &str, user: &str) -> bool {
        let entries = self.maps.get(map).map_or(&[][..], Vec::as_slice);
        entries
            .iter()
            .any(|(known, wanted)| known == name && wanted.as_ref().is_none_or(|wanted| wanted == user))
    }

    /// Whether there is a map of this name.
    pub fn contains(&self, map: &str) -> bool {
        self.maps.contains_key(map)
    }

    fn add(&mut self, fields: &[Vec<Word>]) -> Result<(), Fault> {
        let (map, name, user) = match fields {
            [] => return Ok(()),
            [map, name, user] => match (map.as_slice(), name.as_slice(), user.as_slice()) {
                ([map], [name], [user]) => (map, name, user),
                _ => return Err(form("there is a list where one word belongs")),
            },
            _ => return Err(form("the line is not of three words")),
        };
        if name.text.starts_with('/') && !name.quoted {
            return Err(no_patterns(&name.text));
        }
        if !user.quoted && user.text.starts_with('/') {
            return Err(no_patterns(&user.text));
        }
        if !user.quoted && user.text.starts_with('+') {
            return Err(Fault::new(format!(
                "`{}` is not supported: roles are known to the server alone",
                user.text
            ))
            .fix("write a line for each user"));
        }
        let wanted = (user.quoted || user.text != "all").then(|| user.text.clone());
        self.maps.entry(map.text.clone()).or_default().push((name.text.clone(), wanted));
        Ok(())
    }
}

fn form(what: &str) -> Fault {
    Fault::new(what).fix("write it as `map system-name user`")
}
