//! Lines and words of `pg_hba.conf`.

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use std::path::Path;

use deepwater_core::config::Problems;
use ipnet::IpNet;

use super::{Method, Names, Origin, Rule};
use crate::lines::{Fault, Lines};
use crate::userlist::quoted;

type Lists<'l> = &'l dyn Fn(&Path) -> io::Result<String>;

/// Lists may name lists, so deep.
const LIST_DEPTH: usize = 8;
/// Names in all lists of one rule together.
const LIST_NAMES: usize = 100_000;

pub(super) fn rules(text: &str, file: &str, lists: Lists<'_>) -> Result<Vec<Rule>, Problems> {
    let mut found = Vec::new();
    let mut lines = Lines::of(file);
    for (index, line) in text.lines().enumerate() {
        match fields(line).and_then(|fields| rule(index + 1, &fields, lists)) {
            Ok(rule) => found.extend(rule),
            Err(fault) => lines.report(index + 1, fault),
        }
    }
    Problems::into_result(lines.into_problems())?;
    Ok(found)
}

/// One word. Quoted, it has no special meaning.
#[derive(Debug)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) quoted: bool,
}

impl Word {
    fn is(&self, keyword: &str) -> bool {
        !self.quoted && self.text == keyword
    }
}

/// The fields of a line up to a comment; each is a list of words separated by commas.
pub(super) fn fields(line: &str) -> Result<Vec<Vec<Word>>, Fault> {
    let mut fields: Vec<Vec<Word>> = Vec::new();
    let mut continues = false;
    let mut rest = line.trim_start();
    while !rest.is_empty() && !rest.starts_with('#') {
        if let Some(after) = rest.strip_prefix(',') {
            if continues || fields.is_empty() {
                return Err(Fault::new("a comma has no name before it").fix("write names as a,b,c"));
            }
            continues = true;
            rest = after.trim_start();
            continue;
        }
        let word = if rest.starts_with('"') {
            let (text, after) = quoted(rest)
                .ok_or_else(|| Fault::new("a closing quote is missing").fix("close it on the same line"))?;
            rest = after;
            Word { text, quoted: true }
        } else {
            let end = rest.find(|c: char| c.is_whitespace() || matches!(c, ',' | '#' | '"'));
            let (text, after) = rest.split_at(end.unwrap_or(rest.len()));
            rest = after;
            Word { text: text.to_owned(), quoted: false }
        };
        match fields.last_mut() {
            Some(field) if continues => field.push(word),
            _ => fields.push(vec![word]),
        }
        continues = false;
        rest = rest.trim_start();
    }
    if continues {
        return Err(Fault::new("a comma has no name after it").fix("write names as a,b,c"));
    }
    Ok(fields)
}

/// `None` for an empty line.
fn rule(line: usize, fields: &[Vec<Word>], lists: Lists<'_>) -> Result<Option<Rule>, Fault> {
    let Some((kind, fields)) = fields.split_first() else { return Ok(None) };
    let tls = match one(kind)? {
        word if word.is("local") => None,
        word if word.is("host") => Some(None),
        word if word.is("hostssl") => Some(Some(true)),
        word if word.is("hostnossl") => Some(Some(false)),
        word if word.is("hostgssenc") || word.is("hostnogssenc") => {
            return Err(Fault::new(format!("`{}` is not supported: there is no GSSAPI here", word.text))
                .fix("write host, hostssl or hostnossl"));
        }
        word if word.text.starts_with("include") => {
            return Err(
                Fault::new(format!("`{}` is not supported", word.text)).fix("copy the rules into this file")
            );
        }
        word => {
            return Err(Fault::new(format!("`{}` is no kind of connection", word.text))
                .fix("write local, host, hostssl or hostnossl"));
        }
    };
    let Some((databases, fields)) = fields.split_first() else { return Err(missing("databases")) };
    let Some((users, mut fields)) = fields.split_first() else { return Err(missing("users")) };
    let origin = match tls {
        None => Origin::Local,
        Some(tls) => {
            let (network, rest) = network(fields)?;
            fields = rest;
            Origin::Host { network, tls }
        }
    };
    let Some((method, options)) = fields.split_first() else { return Err(missing("method")) };
    let mut rule = Rule {
        line,
        method: method_of(one(method)?, origin)?,
        map: None,
        origin,
        databases: databases_of(databases, lists)?,
        users: users_of(users, lists)?,
    };
    for option in options {
        set_option(&mut rule, one(option)?)?;
    }
    Ok(Some(rule))
}

fn missing(what: &str) -> Fault {
    Fault::new(format!("the line ends before its {what}"))
        .fix("write it as `local DATABASES USERS METHOD` or `host DATABASES USERS ADDRESS METHOD`")
}

fn one(field: &[Word]) -> Result<&Word, Fault> {
    match field {
        [word] => Ok(word),
        _ => Err(Fault::new("there is a list where one word belongs").fix("remove the comma")),
    }
}

/// An address with its mask, and the fields behind them.
fn network(fields: &[Vec<Word>]) -> Result<(Option<IpNet>, &[Vec<Word>]), Fault> {
    let Some((address, rest)) = fields.split_first() else { return Err(missing("address")) };
    let word = one(address)?;
    let address = word.text.as_str();
    if word.is("all") {
        return Ok((None, rest));
    }
    if word.is("samehost") || word.is("samenet") {
        return Err(Fault::new(format!("`{address}` is not supported: PgBouncer does not have it either"))
            .fix("write the networks as 192.0.2.0/24, a line each"));
    }
    let form = || {
        Fault::new(format!("`{address}` is not an address: DNS names are not supported"))
            .fix("write 192.0.2.0/24, 2001:db8::/32 or all")
    };
    if let Some((ip, bits)) = address.split_once('/') {
        let ip: IpAddr = ip.parse().map_err(|_| form())?;
        let bits = bits.parse().ok().filter(|_| bits.bytes().all(|byte| byte.is_ascii_digit()));
        let network = bits.and_then(|bits| IpNet::new(ip, bits).ok());
        let network = network.ok_or_else(|| {
            Fault::new(format!("`{address}` has a mask that is no number of bits"))
                .fix("write 0 to 32 for IPv4, 0 to 128 for IPv6")
        })?;
        return Ok((Some(exact(network)?), rest));
    }
    let ip: IpAddr = address.parse().map_err(|_| form())?;
    let mask = rest.split_first().and_then(|(mask, after)| Some((one(mask).ok()?, after)));
    let (mask, rest) =
        mask.and_then(|(mask, after)| Some((mask.text.parse::<IpAddr>().ok()?, after))).ok_or_else(|| {
            Fault::new(format!("`{address}` has no mask"))
                .fix(format!("write {address}/32 (IPv6: /128) for this one alone"))
        })?;
    let network = IpNet::with_netmask(ip, mask).map_err(|_| {
        Fault::new(format!("`{mask}` is not a mask for `{address}`")).fix("write the network as 192.0.2.0/24")
    })?;
    Ok((Some(exact(network)?), rest))
}

/// PgBouncer lets such a rule match nobody, PostgreSQL the whole network: neither may be guessed.
fn exact(network: IpNet) -> Result<IpNet, Fault> {
    let trunc = network.trunc();
    if trunc == network {
        return Ok(network);
    }
    let single = if network.addr().is_ipv4() { 32 } else { 128 };
    Err(Fault::new(format!("`{network}` has bits set outside of its mask"))
        .fix(format!("write {trunc} for the network, {}/{single} for the one address", network.addr())))
}

fn method_of(word: &Word, origin: Origin) -> Result<Method, Fault> {
    let local = origin == Origin::Local;
    let method = match word.text.as_str() {
        "trust" => Method::Trust,
        "reject" => Method::Reject,
        "md5" => Method::Md5,
        "scram-sha-256" => Method::ScramSha256,
        "password" => Method::Password,
        // PostgreSQL takes `ident` for `peer` there.
        "peer" | "ident" if local => Method::Peer,
        "peer" => {
            return Err(
                Fault::new("`peer` works on Unix sockets alone").fix("write local, or another method")
            );
        }
        "ident" => {
            return Err(Fault::new(
                "`ident` over TCP is not supported: whoever runs the client's machine may answer for it",
            )
            .fix("write scram-sha-256 or cert"));
        }
        "cert" if local || matches!(origin, Origin::Host { tls: Some(false), .. }) => {
            return Err(Fault::new("`cert` needs TLS").fix("write hostssl"));
        }
        "cert" => Method::Cert,
        other => {
            let known = "trust, reject, md5, scram-sha-256, password, peer, cert";
            let why = match other {
                "ldap" => ": passwords are not passed on to a directory",
                "pam" => ": it would need C code that blocks every client meanwhile",
                "gss" | "sspi" | "radius" | "bsd" | "oauth" => ": PgBouncer does not have it either",
                _ => "",
            };
            return Err(Fault::new(format!("the method `{other}` is not supported{why}"))
                .fix(format!("write one of {known}")));
        }
    };
    Ok(method)
}

fn set_option(rule: &mut Rule, word: &Word) -> Result<(), Fault> {
    match word.text.split_once('=') {
        Some(("map", map)) if !map.is_empty() && matches!(rule.method, Method::Peer | Method::Cert) => {
            rule.map = Some(map.to_owned());
            Ok(())
        }
        Some(("map", _)) => {
            Err(Fault::new("`map` belongs to the methods peer and cert, and names a map").fix("remove it"))
        }
        _ => {
            Err(Fault::new(format!("the option `{}` is not supported", word.text))
                .fix("remove it; known: map"))
        }
    }
}

fn databases_of(words: &[Word], lists: Lists<'_>) -> Result<Names, Fault> {
    let mut names = Names::default();
    for word in expand(words, lists)? {
        match word.text.as_str() {
            _ if word.quoted => {
                names.names.insert(word.text);
            }
            "all" => names.all = true,
            "sameuser" => names.same_user = true,
            "replication" => names.replication = true,
            "samerole" | "samegroup" => {
                return Err(Fault::new(format!(
                    "`{}` is not supported: roles are known to the server alone",
                    word.text
                ))
                .fix("write the names, or \"…\" in quotes for a database of that name"));
            }
            text if text.starts_with('/') => return Err(no_patterns(text)),
            _ => {
                names.names.insert(word.text);
            }
        }
    }
    Ok(names)
}

fn users_of(words: &[Word], lists: Lists<'_>) -> Result<Names, Fault> {
    let mut names = Names::default();
    for word in expand(words, lists)? {
        match word.text.as_str() {
            _ if word.quoted => {
                names.names.insert(word.text);
            }
            "all" => names.all = true,
            text if text.starts_with('+') => {
                return Err(Fault::new(format!(
                    "`{text}` is not supported: roles are known to the server alone"
                ))
                .fix("write the users, or @file for a list of them"));
            }
            text if text.starts_with('/') => return Err(no_patterns(text)),
            _ => {
                names.names.insert(word.text);
            }
        }
    }
    Ok(names)
}

pub(super) fn no_patterns(text: &str) -> Fault {
    Fault::new(format!("`{text}` is a regular expression, which PgBouncer does not have either"))
        .fix("write the names")
}

/// Replaces `@list` by the names in the file.
fn expand(words: &[Word], lists: Lists<'_>) -> Result<Vec<Word>, Fault> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    for word in words {
        expand_one(word, lists, 0, &mut seen, &mut found)?;
    }
    Ok(found)
}

fn expand_one(
    word: &Word,
    lists: Lists<'_>,
    depth: usize,
    seen: &mut BTreeSet<String>,
    found: &mut Vec<Word>,
) -> Result<(), Fault> {
    let list = word.text.strip_prefix('@').filter(|_| !word.quoted);
    let Some(list) = list else {
        if found.len() >= LIST_NAMES {
            return Err(Fault::new(format!("the lists hold more than {LIST_NAMES} names")).fix("write all"));
        }
        found.push(Word { text: word.text.clone(), quoted: word.quoted });
        return Ok(());
    };
    if depth >= LIST_DEPTH {
        return Err(Fault::new(format!("`@{list}` is named by lists that name lists, {LIST_DEPTH} deep"))
            .fix("write the names into one file"));
    }
    // A list that is named again adds nothing; this also bounds lists that name one another.
    if !seen.insert(list.to_owned()) {
        return Ok(());
    }
    let text = lists(Path::new(list)).map_err(|error| {
        Fault::new(format!("cannot read the list `{list}`: {error}"))
            .fix("give its path, relative to the directory of this file")
    })?;
    for line in text.lines() {
        for word in fields(line)?.iter().flatten() {
            expand_one(word, lists, depth + 1, seen, found)?;
        }
    }
    Ok(())
}
