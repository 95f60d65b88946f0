//! The system's users.

use std::fs::File;
use std::io::{BufRead, BufReader};

/// The name of a user, by its number, from `/etc/passwd`.
pub(super) fn user_name(uid: u32) -> Option<String> {
    let lines = BufReader::new(File::open("/etc/passwd").ok()?).lines();
    lines.map_while(Result::ok).find_map(|line| name_in(&line, uid))
}

/// The name in a line of passwd(5), if it is this user's.
fn name_in(line: &str, uid: u32) -> Option<String> {
    let mut fields = line.split(':');
    let name = fields.next().filter(|name| !name.is_empty())?;
    let number: u32 = fields.nth(1)?.parse().ok()?;
    (number == uid).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_found_by_their_number() {
        assert_eq!(name_in("app:x:1000:1000::/home/app:/bin/sh", 1000).as_deref(), Some("app"));
        assert_eq!(name_in("app:x:1000:1001::/home/app:/bin/sh", 1001), None);
        assert_eq!(name_in("broken", 0), None);
        assert_eq!(name_in("", 0), None);
        assert_eq!(user_name(0).as_deref(), Some("root"));
    }
}
