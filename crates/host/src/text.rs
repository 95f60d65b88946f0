//! The few shapes the kernel's text files have.

use std::time::Duration;

/// The ticks in which the kernel reports CPU time: `USER_HZ` is 100 on every Linux since 2.6.
const MILLIS_PER_TICK: u64 = 10;

/// A number of ticks as a time. Whatever a counter says, sums of many of them are far from overflow.
pub(crate) fn ticks(ticks: u64) -> Duration {
    Duration::from_millis(ticks.saturating_mul(MILLIS_PER_TICK))
}

/// The first word, as a number.
pub(crate) fn number(text: &str) -> Option<u64> {
    text.split_ascii_whitespace().next()?.parse().ok()
}

/// Lines of the form `key value …` or `key: value kB`. Lines of another form are passed over, as is a last
/// line without its end: it is half written.
pub(crate) fn keyed(text: &str) -> impl Iterator<Item = (&str, u64)> {
    text.split_inclusive('\n').filter_map(|line| {
        let (key, rest) = line.strip_suffix('\n')?.split_once([' ', '\t', ':'])?;
        Some((key, number(rest.trim_start_matches(':'))?))
    })
}

/// The values that go by these names in a file of line pairs, a line of names and a line of values, both
/// starting with `group` (`/proc/net/snmp`, `/proc/net/netstat`). `None` when there is no such pair.
pub(crate) fn paired<const N: usize>(text: &str, group: &str, names: [&str; N]) -> Option<[Option<u64>; N]> {
    let mut lines = text.lines().filter_map(|line| line.strip_prefix(group)?.strip_prefix(':'));
    let (heads, values) = (lines.next()?, lines.next()?);
    let mut found = [None; N];
    for (head, value) in heads.split_ascii_whitespace().zip(values.split_ascii_whitespace()) {
        if let Some(at) = names.iter().position(|name| *name == head) {
            found[at] = value.parse().ok();
        }
    }
    Some(found)
}

/// How many numbers a list like `0-3,8,10-11` holds.
pub(crate) fn list_length(text: &str) -> Option<u32> {
    text.trim().split(',').try_fold(0_u32, |sum, range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
        sum.checked_add(last.checked_sub(first)?.checked_add(1)?)
    })
}

/// The numbers a line begins with.
pub(crate) fn numbers<const N: usize>(text: &str) -> Option<[u64; N]> {
    take_numbers(&mut text.split_ascii_whitespace())
}

/// The next words, as numbers.
fn take_numbers<'a, const N: usize>(words: &mut impl Iterator<Item = &'a str>) -> Option<[u64; N]> {
    let mut numbers = [0; N];
    for number in &mut numbers {
        *number = words.next()?.parse().ok()?;
    }
    Some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keyed_lines_are_read_and_the_rest_is_passed_over() {
        let text = "MemTotal:       100 kB\noom_kill 3\nnone\n\nodd x\nhalf 12";
        assert_eq!(keyed(text).collect::<Vec<_>>(), [("MemTotal", 100), ("oom_kill", 3)]);
    }

    #[test]
    fn pairs_are_found_by_name_and_group() {
        let text = "Ip: Forwarding\nIp: 1\nTcp: A B C\nTcp: 7 -1 9\nTcpExt: A\nTcpExt: 5\n";
        assert_eq!(paired(text, "Tcp", ["C", "A", "B", "D"]), Some([Some(9), Some(7), None, None]));
        assert_eq!(paired(text, "TcpExt", ["A"]), Some([Some(5)]));
        assert_eq!(paired(text, "Udp", ["A"]), None);
        assert_eq!(paired("Tcp: A", "Tcp", ["A"]), None);
    }

    #[test]
    fn lists_are_counted() {
        assert_eq!(list_length("0-3,8,10-11\n"), Some(7));
        assert_eq!(list_length("0\n"), Some(1));
        for wrong in ["", "3-1", "a", "0-4294967295", "1,,2"] {
            assert_eq!(list_length(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn no_counter_is_too_long_a_time() {
        assert_eq!(ticks(150), Duration::from_millis(1_500));
        assert!((0..1_000).map(|_| ticks(u64::MAX)).sum::<Duration>() > ticks(150));
    }
}
