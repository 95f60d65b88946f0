//! Whose key it is: what two clients must have in common before one sees the answer to the other's request.

use std::net::IpAddr;
use std::str::FromStr;

use deepwater_auth::{ClaimPath, Claims};

use crate::head::{Fields, Name, Request};

use super::digest::Digesting;
use super::subject::Verified;

/// One part of a client's identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Whoever the route's `auth` has let in.
    Subject(Verified),
    Authorization,
    Header(Box<str>),
    Cookie(Box<str>),
    Ip,
    Claim(ClaimPath),
}

impl FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unknown = || {
            format!(
                "`{text}` tells no clients apart: write authorization, header:NAME, cookie:NAME, ip or claim:PATH"
            )
        };
        let (kind, name) = text.split_once(':').unwrap_or((text, ""));
        let named = !name.is_empty() && name.bytes().all(is_token);
        match kind {
            "authorization" if text == kind => Ok(Self::Authorization),
            "ip" if text == kind => Ok(Self::Ip),
            "header" if named => Ok(Self::Header(name.to_ascii_lowercase().into())),
            "cookie" if named => Ok(Self::Cookie(name.into())),
            "claim" if !name.is_empty() => ClaimPath::new(name)
                .map(Self::Claim)
                .ok_or_else(|| format!("`{name}` is not the path of a claim")),
            _ => Err(unknown()),
        }
    }
}

impl Scope {
    /// Adds what the request says of this part; that it says nothing is told apart from anything it could say.
    pub fn add_to(
        &self,
        digesting: &mut Digesting,
        request: &Request,
        client_ip: IpAddr,
        claims: Option<&Claims>,
    ) {
        let fields = &request.fields;
        match self {
            Self::Subject(verified) => verified.add_to(digesting, request, claims),
            Self::Authorization => digesting.list(fields.all_known(Name::Authorization)),
            Self::Header(name) => {
                let of_name =
                    |(_, written, _): &(Name, &[u8], &[u8])| written.eq_ignore_ascii_case(name.as_bytes());
                digesting.list(fields.iter().filter(of_name).map(|(_, _, value)| value));
            }
            Self::Cookie(name) => digesting.list(cookies(fields, name.as_bytes())),
            Self::Ip => digesting.part(client_ip.to_canonical().to_string().as_bytes()),
            Self::Claim(path) => {
                let text = claims.and_then(|claims| claims.text(path));
                digesting.list(text.iter().map(String::as_bytes));
            }
        }
    }
}

/// All cookies of a name: which of two counts is for the application to say.
fn cookies<'f>(fields: &'f Fields, name: &[u8]) -> impl Iterator<Item = &'f [u8]> {
    let pairs = fields.all_known(Name::Cookie).flat_map(|value| value.split(|byte| *byte == b';'));
    pairs.filter_map(move |pair| pair.trim_ascii().strip_prefix(name)?.strip_prefix(b"="))
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::idempotency::digest::Digest;

    const IP: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn digest(scope: &str, fields: &[(&str, &str)], ip: IpAddr, claims: Option<&Claims>) -> Digest {
        let mut request = Request::default();
        request.fields.add_all(fields);
        let mut digesting = Digesting::new("test");
        scope.parse::<Scope>().unwrap().add_to(&mut digesting, &request, ip, claims);
        digesting.finish()
    }

    #[test]
    fn each_part_tells_clients_apart() {
        let differs = |scope, one: &[(&str, &str)], other: &[(&str, &str)]| {
            assert_ne!(digest(scope, one, IP, None), digest(scope, other, IP, None), "{scope}");
            assert_eq!(digest(scope, one, IP, None), digest(scope, one, IP, None), "{scope}");
        };
        differs("authorization", &[("Authorization", "Bearer a")], &[("Authorization", "Bearer b")]);
        differs("authorization", &[("Authorization", "")], &[]);
        differs("header:x-tenant", &[("X-Tenant", "1")], &[("X-Tenant", "2")]);
        differs("header:X-Tenant", &[("X-Tenant", "1")], &[("X-Tenant", "1"), ("x-tenant", "2")]);
        differs("cookie:session", &[("Cookie", "a=1; session=x")], &[("Cookie", "a=1; session=y")]);
        differs("cookie:s", &[("Cookie", "s=x; s=y")], &[("Cookie", "s=x; s=z")]);

        let other = "10.0.0.1".parse().unwrap();
        assert_ne!(digest("ip", &[], IP, None), digest("ip", &[], other, None));
        let mapped = "::ffff:127.0.0.1".parse().unwrap();
        assert_eq!(digest("ip", &[], IP, None), digest("ip", &[], mapped, None));

        let (ann, bob) = (Claims::of_user("ann"), Claims::of_user("bob"));
        assert_ne!(digest("claim:sub", &[], IP, Some(&ann)), digest("claim:sub", &[], IP, Some(&bob)));
        assert_ne!(digest("claim:sub", &[], IP, Some(&ann)), digest("claim:sub", &[], IP, None));
    }

    #[test]
    fn what_tells_nobody_apart_is_refused() {
        for wrong in
            ["", "authorization:x", "ip:1", "header", "header:", "header:a b", "cookie:=", "user", "claim:"]
        {
            assert!(wrong.parse::<Scope>().is_err(), "{wrong}");
        }
    }
}
