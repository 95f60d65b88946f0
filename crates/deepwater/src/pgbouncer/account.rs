//! Becoming another user of the system.

use std::io;

use rustix::process::{Gid, Uid, geteuid};
use rustix::thread::{set_thread_gid, set_thread_groups, set_thread_uid};

use crate::cli::Failure;

/// A user of the system, and every group it is in.
#[derive(Debug, PartialEq, Eq)]
struct Account {
    uid: u32,
    gid: u32,
    groups: Vec<u32>,
}

/// Becomes the user, for good. Linux gives each thread an identity of its own, and to new threads that of the one that
/// starts them: this must be called before any is started.
///
/// # Errors
/// When there is no such user, or the process may not become it.
pub(super) fn become_user(name: &str) -> Result<(), Failure> {
    let refused = |what: String| {
        Failure::Usage(format!("{what}\n  fix: start it as root, or as that user without `user`"))
    };
    let (users, groups) = (read("passwd", name)?, std::fs::read_to_string("/etc/group")?);
    let account = Account::find(name, &users, &groups).ok_or_else(|| {
        Failure::Usage(format!("there is no user `{name}` on this system\n  fix: create it, or name another"))
    })?;
    if geteuid().as_raw() == account.uid {
        return Ok(());
    }
    if !geteuid().is_root() {
        return Err(refused(format!("only root can become the user `{name}`")));
    }
    take_on(&account).map_err(|error| refused(format!("cannot become the user `{name}`: {error}")))
}

fn take_on(account: &Account) -> io::Result<()> {
    let groups: Vec<Gid> = account.groups.iter().map(|gid| Gid::from_raw(*gid)).collect();
    // The right to change groups goes with the user.
    set_thread_groups(&groups)?;
    set_thread_gid(Gid::from_raw(account.gid))?;
    Ok(set_thread_uid(Uid::from_raw(account.uid))?)
}

/// The lines of a database of users: those of the file, and, for one that is kept elsewhere (LDAP), what the system's
/// own tool says.
fn read(database: &str, name: &str) -> io::Result<String> {
    let text = std::fs::read_to_string(format!("/etc/{database}"))?;
    if text.lines().any(|line| line.split(':').next() == Some(name)) {
        return Ok(text);
    }
    let asked = std::process::Command::new("getent").args([database, "--", name]).output();
    Ok(asked.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default())
}

impl Account {
    /// From the texts of `/etc/passwd` and `/etc/group`.
    fn find(name: &str, users: &str, groups: &str) -> Option<Self> {
        let user = users.lines().map(fields).find(|fields| fields.first() == Some(&name))?;
        let (uid, gid) = (number(&user, 2)?, number(&user, 3)?);
        let is_member = |group: &Vec<&str>| {
            group.get(3).is_some_and(|members| members.split(',').any(|member| member == name))
        };
        let others = groups.lines().map(fields).filter(is_member).filter_map(|group| number(&group, 2));
        let groups = std::iter::once(gid).chain(others.filter(|other| *other != gid)).collect();
        Some(Self { uid, gid, groups })
    }
}

fn fields(line: &str) -> Vec<&str> {
    line.split(':').collect()
}

fn number(fields: &[&str], index: usize) -> Option<u32> {
    fields.get(index)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const USERS: &str = "root:x:0:0:root:/root:/bin/bash\npostgres:x:101:103:PostgreSQL:/var/lib/postgresql:/bin/bash\nbad:x\n";
    const GROUPS: &str =
        "root:x:0:\npostgres:x:103:postgres\nssl-cert:x:104:web,postgres\nweb:x:105:web\nbad\n";

    #[test]
    fn a_user_has_its_groups() {
        let find = |name| Account::find(name, USERS, GROUPS);
        assert_eq!(find("postgres"), Some(Account { uid: 101, gid: 103, groups: vec![103, 104] }));
        assert_eq!(find("root"), Some(Account { uid: 0, gid: 0, groups: vec![0] }));
        for name in ["bad", "nobody", "", "x"] {
            assert_eq!(find(name), None, "{name}");
        }
    }
}
