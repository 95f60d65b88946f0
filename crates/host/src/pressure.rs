//! Pressure stall information: how long tasks waited for a resource (`Documentation/accounting/psi.rst`).

use std::time::Duration;

/// Why a pressure file may be missing.
pub(crate) const HINT: &str = "pressure stall information is off: boot the kernel with psi=1";

/// Time in which tasks stalled, since boot or since the group began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pressure {
    /// At least one task waited.
    pub some: Duration,
    /// All tasks waited. Absent for the machine's CPU on older kernels, zero there on newer ones.
    pub full: Option<Duration>,
}

/// Reads a pressure file. `total` is in microseconds; the averages are for those who come less often.
pub(crate) fn parse(text: &str) -> Option<Pressure> {
    let total = |kind: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(kind)?.strip_prefix(' '))?;
        let total = line.split_ascii_whitespace().find_map(|word| word.strip_prefix("total="))?;
        total.parse().ok().map(Duration::from_micros)
    };
    Some(Pressure { some: total("some")?, full: total("full") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_are_read() {
        let text = "some avg10=5.80 avg60=3.46 avg300=3.96 total=10213225281\n\
                    full avg10=0.00 avg60=0.00 avg300=0.00 total=7\n";
        let read = parse(text).expect("a pressure file");
        assert_eq!(read.some, Duration::from_micros(10_213_225_281));
        assert_eq!(read.full, Some(Duration::from_micros(7)));
        assert_eq!(parse("some avg10=0.00 total=5\n").map(|read| read.full), Some(None));
        for wrong in ["", "some", "some avg10=0.00", "some total=-1", "full total=3", "sometotal=3"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
