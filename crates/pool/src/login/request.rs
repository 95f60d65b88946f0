//! What a client asks for in its first packet.

use deepwater_pgwire::message::backend::write;
use deepwater_pgwire::startup::options;

use super::{Peer, Refused};
use crate::plan::{Face, Plan};
use crate::settings::Settings;

/// The newest minor version of the protocol that is spoken (PostgreSQL 18).
const NEWEST_MINOR: u16 = 2;
/// What the names of protocol options begin with.
const PROTOCOL_OPTION: &str = "_pq_.";
/// Longest name of a user or database: PostgreSQL cuts them at 63 bytes, roles of other systems may be longer.
const MAX_NAME_BYTES: usize = 255;
/// Settings that PgBouncer follows; it refuses others.
const PGBOUNCER_FOLLOWS: [&str; 6] = [
    "application_name",
    "client_encoding",
    "datestyle",
    "intervalstyle",
    "standard_conforming_strings",
    "timezone",
];

/// What a client asks for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Request {
    /// The minor version spoken, at most the one asked for.
    pub minor: u16,
    pub user: String,
    pub database: String,
    /// `replication`, if it is anything but off.
    pub replication: Option<String>,
    /// Settings the session begins with.
    pub settings: Settings,
    /// Protocol options that are not known, and whether the minor version is.
    unknown: Option<Vec<String>>,
}

impl Request {
    /// Reads the parameters of the first packet.
    pub(super) fn read(
        &mut self,
        plan: &Plan,
        peer: &Peer,
        minor: u16,
        parameters: Vec<(String, String)>,
    ) -> Result<(), Refused> {
        self.minor = minor.min(NEWEST_MINOR);
        let mut unknown = Vec::new();
        let mut later = Vec::new();
        for (name, value) in parameters {
            match name.as_str() {
                "user" => self.user = value,
                "database" => self.database = value,
                "replication" => self.replication = replication(value)?,
                // Settings of their own go before those in `options`.
                "options" => self.options(plan, &value)?,
                option if option.starts_with(PROTOCOL_OPTION) => unknown.push(name),
                _ => later.push((name, value)),
            }
        }
        for (name, value) in later {
            self.setting(plan, &name, &value, "unsupported startup parameter")?;
        }
        if minor > NEWEST_MINOR || !unknown.is_empty() {
            self.unknown = Some(unknown);
        }
        self.names(plan.face)?;
        self.name_application(plan, peer);
        Ok(())
    }

    fn names(&mut self, face: Face) -> Result<(), Refused> {
        if self.user.is_empty() {
            let native = "no PostgreSQL user name specified in startup packet";
            return Err(Refused::new(face, "28000", native, "no username supplied"));
        }
        if self.database.is_empty() {
            self.database.clone_from(&self.user);
        }
        for (what, name) in [("username", &mut self.user), ("database name", &mut self.database)] {
            if name.len() > MAX_NAME_BYTES {
                // Nor does it belong into the log.
                name.clear();
                return Err(Refused::protocol(format!("{what} too long")));
            }
        }
        Ok(())
    }

    fn options(&mut self, plan: &Plan, text: &str) -> Result<(), Refused> {
        let ignored = is_ignored(plan, "options");
        match options(text) {
            Ok(settings) => {
                for (name, value) in settings {
                    if plan.face == Face::PgBouncer && ignored && !is_followed(&name) {
                        continue;
                    }
                    self.setting(plan, &name, &value, "unsupported startup parameter in options")?;
                }
                Ok(())
            }
            Err(_) if ignored => Ok(()),
            Err(bad) => {
                let pgbouncer = "unsupported options startup parameter: only '-c config=val' is allowed";
                Err(Refused::new(plan.face, "42601", bad.to_string(), pgbouncer))
            }
        }
    }

    fn setting(&mut self, plan: &Plan, name: &str, value: &str, unsupported: &str) -> Result<(), Refused> {
        let lower = name.to_ascii_lowercase();
        if lower == "seed" {
            // The state of a generator that all clients of a server share.
            return Ok(());
        }
        if plan.face == Face::PgBouncer && is_followed(&lower) {
            self.settings.set(&lower, value);
            return Ok(());
        }
        if is_ignored(plan, name) {
            return Ok(());
        }
        if plan.face == Face::PgBouncer {
            return Err(Refused::protocol(format!("{unsupported}: {name}")));
        }
        self.settings.set(&lower, value);
        Ok(())
    }

    /// Adds the client's address to its name, if so configured.
    fn name_application(&mut self, plan: &Plan, peer: &Peer) {
        if plan.config.application_name_add_host {
            let name = self.settings.get("application_name").filter(|name| !name.is_empty()).unwrap_or("app");
            let name = format!("{name} - {peer}");
            self.settings.set("application_name", &name);
        }
    }

    /// Appends what is spoken, if it is not what the client asked for.
    pub(super) fn negotiate(&self, out: &mut Vec<u8>) {
        if let Some(unknown) = &self.unknown {
            let unknown: Vec<&str> = unknown.iter().map(String::as_str).collect();
            write::negotiate_protocol_version(out, self.minor, &unknown);
        }
    }
}

fn is_followed(lower: &str) -> bool {
    PGBOUNCER_FOLLOWS.contains(&lower)
}

fn is_ignored(plan: &Plan, name: &str) -> bool {
    plan.config.ignore_startup_parameters.iter().any(|ignored| ignored.eq_ignore_ascii_case(name))
}

/// `database`, or a Boolean as PostgreSQL reads it.
fn replication(value: String) -> Result<Option<String>, Refused> {
    match value.to_ascii_lowercase().as_str() {
        "database" | "true" | "on" | "yes" | "1" | "t" | "y" => Ok(Some(value)),
        "false" | "off" | "no" | "0" | "f" | "n" => Ok(None),
        _ => Err(Refused::protocol(format!("invalid value for parameter \"replication\": \"{value}\""))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn plan(face: Face, change: impl FnOnce(&mut Config)) -> Plan {
        let mut config = Config::default();
        change(&mut config);
        let checker = deepwater_core::config::Checker::without_document();
        crate::plan::build(&config, std::path::Path::new(""), face, &checker.root()).unwrap()
    }

    fn read(plan: &Plan, minor: u16, parameters: &[(&str, &str)]) -> Result<Request, Refused> {
        let peer = Peer::Unix { path: "/run/s".into(), uid: None, pid: Some(7) };
        let parameters = parameters.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let mut request = Request::default();
        request.read(plan, &peer, minor, parameters).map(|()| request)
    }

    #[test]
    fn settings_of_their_own_go_before_those_in_options() {
        let plan = plan(Face::Native, |_| {});
        let asked = [("user", "app"), ("TimeZone", "UTC"), ("options", "-c timezone=CET -c geqo=off")];
        let request = read(&plan, 0, &asked).unwrap();
        assert_eq!((request.user.as_str(), request.database.as_str()), ("app", "app"));
        assert_eq!(request.settings.iter().collect::<Vec<_>>(), [("geqo", "off"), ("timezone", "UTC")]);
    }

    #[test]
    fn what_is_not_known_of_the_protocol_is_negotiated() {
        let plan = plan(Face::Native, |_| {});
        let told = |minor, parameters: &[(&str, &str)]| {
            let request = read(&plan, minor, parameters).unwrap();
            let mut out = Vec::new();
            request.negotiate(&mut out);
            (request.minor, out)
        };
        assert_eq!(told(0, &[("user", "a")]), (0, vec![]));
        assert_eq!(told(2, &[("user", "a")]), (2, vec![]));
        assert_eq!(told(9_999, &[("user", "a")]), (2, b"v\0\0\0\x0c\0\x03\0\x02\0\0\0\0".to_vec()));
        let (minor, out) = told(0, &[("user", "a"), ("_pq_.x", "1")]);
        assert!(minor == 0 && out.ends_with(b"_pq_.x\0"));
    }

    #[test]
    fn pgbouncers_face_refuses_what_pgbouncer_does() {
        let plan = plan(Face::PgBouncer, |config| {
            config.ignore_startup_parameters = vec!["extra_float_digits".into()];
        });
        let message =
            |parameters: &[(&str, &str)]| read(&plan, 0, parameters).map_err(|refused| refused.message);
        assert_eq!(message(&[]).unwrap_err(), "no username supplied");
        let geqo = [("user", "a"), ("geqo", "off")];
        assert_eq!(message(&geqo).unwrap_err(), "unsupported startup parameter: geqo");
        let options = [("user", "a"), ("options", "-c geqo=off")];
        assert_eq!(message(&options).unwrap_err(), "unsupported startup parameter in options: geqo");
        let followed = [("user", "a"), ("DateStyle", "ISO"), ("extra_float_digits", "3")];
        assert_eq!(message(&followed).unwrap().settings.iter().collect::<Vec<_>>(), [("datestyle", "ISO")]);
    }

    #[test]
    fn replication_is_a_boolean_or_a_database() {
        let plan = plan(Face::Native, |_| {});
        let asked = |value| {
            read(&plan, 0, &[("user", "a"), ("replication", value)]).map(|request| request.replication)
        };
        assert_eq!(asked("database").unwrap().as_deref(), Some("database"));
        assert_eq!(asked("off").unwrap(), None);
        assert!(asked("perhaps").is_err());
    }

    #[test]
    fn the_address_joins_the_name_if_so_configured() {
        let plan = plan(Face::Native, |config| config.application_name_add_host = true);
        let named = |parameters: &[(&str, &str)]| {
            read(&plan, 0, parameters).unwrap().settings.get("application_name").map(str::to_owned)
        };
        assert_eq!(named(&[("user", "a")]).as_deref(), Some("app - unix(7)"));
        assert_eq!(named(&[("user", "a"), ("application_name", "psql")]).as_deref(), Some("psql - unix(7)"));
    }

    #[test]
    fn endless_names_are_refused_and_not_logged() {
        let plan = plan(Face::Native, |_| {});
        let long = "x".repeat(MAX_NAME_BYTES + 1);
        assert!(read(&plan, 0, &[("user", "a"), ("database", &long)]).is_err());
    }
}
