//! Who may connect: passwords, rules, maps.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use deepwater_core::config::{Place, Problems};
use deepwater_pgwire::auth::StoredPassword;
use deepwater_pgwire::auth::scram::MAX_ITERATIONS;

use super::{is_known, unknown};
use crate::config::{AuthMethod, Config};
use crate::hba::{Hba, Ident};
use crate::userlist::Userlist;

/// Files of users, rules and maps are read up to this size: 16 MiB.
const FILE_BYTES: u64 = 16 << 20;

type Built = (HashMap<String, StoredPassword>, Option<Hba>, Ident);

pub(super) fn build(config: &Config, directory: &Path, place: &Place<'_>) -> Option<Built> {
    let auth = &config.auth;
    let at = place.at("auth");
    let mut sound = asking(config, &at);
    if !(1..=MAX_ITERATIONS).contains(&auth.scram_iterations) {
        let what = format!("{} rounds of hashing are too few or too many", auth.scram_iterations);
        at.at("scram_iterations").problem_with_fix(what, format!("write 4096, and at most {MAX_ITERATIONS}"));
        sound = false;
    }
    let passwords = passwords(config, directory, place);
    let hba = match (&auth.hba, auth.method) {
        (Some(file), _) => read(&at.at("hba"), directory, file, Hba::parse).map(Some),
        (None, AuthMethod::Hba) => {
            let fix = "name the file of rules: hba = \"pg_hba.conf\"";
            at.at("method").problem_with_fix("with `method = \"hba\"` there must be rules", fix);
            None
        }
        (None, _) => Some(None),
    };
    let ident = match &auth.ident {
        Some(file) => read(&at.at("ident"), directory, file, Ident::parse),
        None => Some(Ident::default()),
    };
    let (passwords, hba, ident) = (passwords?, hba?, ident?);
    for rule in hba.iter().flat_map(Hba::rules) {
        if let Some(map) = &rule.map
            && !ident.contains(map)
        {
            let what = format!("the rule in line {} names the map `{map}`, which there is not", rule.line);
            at.at("hba").problem_with_fix(what, "add it to the file of maps, `ident`");
            sound = false;
        }
    }
    sound.then_some((passwords, hba, ident))
}

/// Looks at what `auth.query` needs.
fn asking(config: &Config, place: &Place<'_>) -> bool {
    let mut sound = true;
    if config.auth.query_user.is_some() && !config.auth.query.contains("$1") {
        let fix = "write $1 where the user's name belongs";
        place.at("query").problem_with_fix("the query does not ask for a user", fix);
        sound = false;
    }
    if let Some(asked_in) = &config.auth.query_database
        && !is_known(config, asked_in)
    {
        unknown(config, &place.at("query_database"), asked_in);
        sound = false;
    }
    sound
}

/// Stored passwords by user; what `users` says goes before the file.
fn passwords(
    config: &Config,
    directory: &Path,
    place: &Place<'_>,
) -> Option<HashMap<String, StoredPassword>> {
    let mut sound = true;
    let mut passwords = HashMap::new();
    if let Some(file) = &config.auth.users {
        let place = place.at("auth").at("users");
        match read(&place, directory, file, Userlist::parse) {
            // An empty text is no password: nobody can log in with it, but servers that ask for none can be logged in to.
            Some(users) => {
                for (name, secret) in users.iter() {
                    match StoredPassword::parse(secret) {
                        Ok(password) => {
                            passwords.insert(name.to_owned(), password);
                        }
                        Err(error) => {
                            place.problem(format!("the password of `{name}` is {error}"));
                            sound = false;
                        }
                    }
                }
            }
            None => sound = false,
        }
    }
    for (name, user) in &config.users {
        let Some(secret) = &user.password else { continue };
        let place = place.at("users").at(name).at("password");
        match secret.resolve(directory) {
            Ok(text) => match StoredPassword::parse(text.expose()) {
                Ok(password) => {
                    passwords.insert(name.clone(), password);
                    continue;
                }
                Err(error) => place.problem(error.to_string()),
            },
            Err(error) => place.secret_problem(&error),
        }
        sound = false;
    }
    sound.then_some(passwords)
}

/// Reads a file and what it says; every problem within is reported at the key that names it.
fn read<T>(
    place: &Place<'_>,
    directory: &Path,
    file: &str,
    parse: impl FnOnce(&str, &str) -> Result<T, Problems>,
) -> Option<T> {
    let path = directory.join(file);
    let text = match text_of(&path) {
        Ok(text) => text,
        Err(error) => {
            place.problem(format!("cannot read `{}`: {error}", path.display()));
            return None;
        }
    };
    let parsed = parse(&text, &path.to_string_lossy());
    for problem in parsed.as_ref().err().into_iter().flat_map(Problems::iter) {
        let line = problem.line.map(|line| format!(", line {line}")).unwrap_or_default();
        let what = format!("`{file}`{line}: {}", problem.what);
        match &problem.fix {
            Some(fix) => place.problem_with_fix(what, fix),
            None => place.problem(what),
        }
    }
    parsed.ok()
}

fn text_of(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let read = File::open(path)?.take(FILE_BYTES + 1).read_to_string(&mut text)?;
    if read as u64 > FILE_BYTES { Err(io::Error::other("it is larger than 16 MiB")) } else { Ok(text) }
}
