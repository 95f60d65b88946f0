//! The fields that tell the origin who has come. What they say is ours alone to say.

use std::collections::BTreeSet;

use deepwater_auth::{ClaimPath, Claims};

use crate::head::{Fields, Name, list_members};

/// The fields that tell an origin who has come, whichever route leads there. An application believes them on all its paths,
/// so clients may not say them on those of open routes either.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ClaimFields(BTreeSet<Box<str>>);

impl ClaimFields {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a name says, or may be taken to say, who has come.
    pub fn has(&self, name: &[u8]) -> bool {
        self.0.iter().any(|ours| reads_as(name, ours))
    }

    /// Removes what a client says of it.
    pub fn remove_from(&self, fields: &mut Fields) {
        fields.remove_where(|_, name, _| self.has(name));
    }
}

impl<'n> FromIterator<&'n str> for ClaimFields {
    fn from_iter<I: IntoIterator<Item = &'n str>>(names: I) -> Self {
        Self(names.into_iter().map(Box::from).collect())
    }
}

/// Tells the origin what was proved. What the client said of it is gone by then.
pub(super) fn tell(fields: &mut Fields, headers: &[(Box<str>, ClaimPath)], claims: Option<&Claims>) {
    keep(fields, headers);
    for (name, path) in headers {
        if let Some(value) = claims.and_then(|claims| claims.text(path)) {
            fields.add(name.as_bytes(), value.as_bytes());
        }
    }
}

/// Whether a server may take a name for ours: CGI and all that came of it write `X-User` and `X_User` alike.
fn reads_as(name: &[u8], ours: &str) -> bool {
    let plain = |byte: u8| if byte == b'_' { b'-' } else { byte.to_ascii_lowercase() };
    name.len() == ours.len() && name.iter().zip(ours.bytes()).all(|(a, b)| plain(*a) == plain(b))
}

/// Keeps `Connection` from having fields removed on the way to the origin, or to the cache, that say who has come.
fn keep(fields: &mut Fields, headers: &[(Box<str>, ClaimPath)]) {
    let is_kept = |member: &[u8]| {
        matches!(Name::of(member), Name::Authorization | Name::Cookie)
            || headers.iter().any(|(ours, _)| reads_as(member, ours))
    };
    if !fields.all_known(Name::Connection).flat_map(list_members).any(is_kept) {
        return;
    }
    let members = fields.all_known(Name::Connection).flat_map(list_members);
    let others: Vec<&[u8]> = members.filter(|member| !is_kept(member)).collect();
    let others = others.join(&b", "[..]);
    fields.remove_known(Name::Connection);
    if !others.is_empty() {
        fields.add_known(Name::Connection, &others);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(sent: &[(&str, &str)], claims: Option<&Claims>) -> Vec<(String, String)> {
        let headers = [("x-user".into(), ClaimPath::new("sub").unwrap())];
        let mut fields = Fields::default();
        sent.iter().for_each(|(name, value)| fields.add(name.as_bytes(), value.as_bytes()));
        ["x-user"].into_iter().collect::<ClaimFields>().remove_from(&mut fields);
        tell(&mut fields, &headers, claims);
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        fields.iter().map(|(_, name, value)| (text(name), text(value))).collect()
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.into(), value.into())
    }

    #[test]
    fn only_we_say_who_has_come() {
        let spoofed = [("X-User", "root"), ("x-user", "root"), ("X_USER", "root"), ("X-User-Id", "7")];
        assert_eq!(told(&spoofed, None), [pair("X-User-Id", "7")]);
        let ada = Claims::of_user("ada");
        assert_eq!(told(&spoofed, Some(&ada)), [pair("X-User-Id", "7"), pair("x-user", "ada")]);
    }

    #[test]
    fn connection_takes_nothing_of_it_away() {
        let ada = Claims::of_user("ada");
        let sent =
            [("Connection", "X-User, upgrade"), ("Connection", "authorization,x_user"), ("Via", "1.1 a")];
        assert_eq!(
            told(&sent, Some(&ada)),
            [pair("Via", "1.1 a"), pair("connection", "upgrade"), pair("x-user", "ada")]
        );
        assert_eq!(told(&[("Connection", "cookie")], None), []);
        let others = [("Connection", "keep-alive, x-hop")];
        assert_eq!(told(&others, None), [pair("Connection", "keep-alive, x-hop")]);
    }
}
