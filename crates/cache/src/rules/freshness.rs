//! How long a response is fresh and how old it is (RFC 9111 §4.2).

use std::time::Duration;

use super::control::{ResponseControl, seconds};
use super::date;
use super::fields::{Fields, Times};
use super::list::members;

/// Status codes whose responses may be given a guessed lifetime (RFC 9110 §15.1).
pub fn is_heuristically_cacheable(status: u16) -> bool {
    matches!(status, 200 | 203 | 204 | 206 | 300 | 301 | 308 | 404 | 405 | 410 | 414 | 501)
}

/// The lifetime a response states (RFC 9111 §4.2.1), in milliseconds: of `s-maxage`, `max-age`, `Expires`, the
/// first that is there. One that cannot be read is 0. `Expires` counts from `Date`, or from the arrival where there
/// is no valid `Date`; of several the first counts. Where a targeted field decides, `Expires` does not.
pub fn explicit<F: Fields + ?Sized>(control: &ResponseControl, response: &F, times: Times) -> Option<u64> {
    if let Some(seconds) = control.s_maxage.or(control.max_age) {
        return Some(u64::from(seconds) * 1_000);
    }
    if control.targeted {
        return None;
    }
    let expires = response.first("expires")?;
    let received_s = times.received_ms / 1_000;
    let lifetime_s = date::parse(expires, received_s)
        .map(|expires| expires.saturating_sub(date_of(response, received_s).unwrap_or(received_s)));
    Some(lifetime_s.unwrap_or(0) * 1_000)
}

/// A guess (RFC 9111 §4.2.2), in milliseconds: a tenth of the time since its last change, as far as it is known,
/// but no more than `max`. Only for a status that allows it, or `public`.
pub fn heuristic<F: Fields + ?Sized>(
    status: u16,
    control: &ResponseControl,
    response: &F,
    times: Times,
    max: Duration,
) -> Option<u64> {
    if !is_heuristically_cacheable(status) && !control.public {
        return None;
    }
    let received_s = times.received_ms / 1_000;
    let modified = date::parse(response.first("last-modified")?, received_s)?;
    let since = date_of(response, received_s).unwrap_or(received_s).checked_sub(modified)?;
    Some((since * 100).min(millis(max)))
}

/// How old a response is on arrival (RFC 9111 §4.2.3), in milliseconds: the time since its `Date`, or its `Age` and
/// the time its fetch took, whichever is more. Of a list in `Age` the first member of the first line counts; if that
/// is no number, the field does not count (§5.1).
pub fn initial_age_ms<F: Fields + ?Sized>(response: &F, times: Times) -> u64 {
    let received_s = times.received_ms / 1_000;
    let apparent_s = date_of(response, received_s).map_or(0, |date| received_s.saturating_sub(date));
    let age_s = response.first("age").and_then(|age| members(age).next()).and_then(seconds).unwrap_or(0);
    let delay_ms = times.received_ms.saturating_sub(times.sent_ms);
    (apparent_s * 1_000).max(u64::from(age_s) * 1_000 + delay_ms)
}

/// The `Date` of a message, Unix seconds.
pub(crate) fn date_of<F: Fields + ?Sized>(fields: &F, now_s: u64) -> Option<u64> {
    date::parse(fields.first("date")?, now_s)
}

/// Whole milliseconds; the longest times are cut.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::testing::{NOW, fields};
    use proptest::prelude::*;

    const TIMES: Times = Times { sent_ms: NOW, received_ms: NOW };

    fn lifetime(list: &[(&str, &str)]) -> Option<u64> {
        let fields = fields(list);
        let control = ResponseControl::of(&fields, &["cdn-cache-control".to_owned()]);
        explicit(&control, &fields, TIMES).map(|ms| ms / 1_000)
    }

    fn age(list: &[(&str, &str)], sent_ms: u64) -> u64 {
        initial_age_ms(&fields(list), Times { sent_ms, received_ms: NOW })
    }

    fn guess(status: u16, list: &[(&str, &str)]) -> Option<u64> {
        let fields = fields(list);
        let control = ResponseControl::of(&fields, &[]);
        heuristic(status, &control, &fields, TIMES, Duration::from_secs(86_400)).map(|ms| ms / 1_000)
    }

    #[test]
    fn stated_lifetimes() {
        let expires = |value| [("Expires", value), ("Date", "@0")];
        for (list, expected) in [
            (&[][..], None),
            (&[("Cache-Control", "max-age=3, s-maxage=5")], Some(5)),
            (&[("Cache-Control", "max-age=3, s-maxage=x")], Some(0)),
            (&[("Cache-Control", "max-age=3"), ("Expires", "@-100"), ("Date", "@0")], Some(3)),
            (&[("Cache-Control", "max-age=3"), ("Expires", "0")], Some(3)),
            (&[("Cache-Control", "max-age=0"), ("Expires", "@100"), ("Date", "@0")], Some(0)),
            (&[("Cache-Control", "max-age=99999999999")], Some(1 << 31)),
            (&expires("@100"), Some(100)),
            (&expires("@0"), Some(0)),
            (&expires("@-100"), Some(0)),
            (&expires("0"), Some(0)),
            (&expires(""), Some(0)),
            (&expires("Thu, 18 Aug 2050 2:01:18 GMT"), Some(0)),
            (&expires("Sun, 21 Nov 2286 04:46:39 GMT"), Some(10_000_039_599 - NOW / 1_000)),
            (&[("Expires", "0"), ("Expires", "@100")], Some(0)),
            (&[("Expires", "@100"), ("Expires", "0")], Some(100)),
            // Counted by the origin's clock, also when that is wrong.
            (&[("Expires", "@300"), ("Date", "@400")], Some(0)),
            (&[("Expires", "@20"), ("Date", "@10")], Some(10)),
            (&[("Expires", "@10"), ("Date", "@-10")], Some(20)),
            (&[("Expires", "@10"), ("Date", "foo")], Some(10)),
            (&[("Expires", "@10")], Some(10)),
            (&[("CDN-Cache-Control", "max-age=9"), ("Cache-Control", "max-age=3")], Some(9)),
            (&[("CDN-Cache-Control", "foo"), ("Cache-Control", "max-age=3"), ("Expires", "@10")], None),
            (&[("CDN-Cache-Control", "&"), ("Expires", "@10")], Some(10)),
        ] {
            assert_eq!(lifetime(list), expected, "{list:?}");
        }
    }

    #[test]
    fn guessed_lifetimes() {
        let old = ("Last-Modified", "@-1000");
        for (status, list, expected) in [
            (200, &[old, ("Date", "@0")][..], Some(100)),
            (200, &[old], Some(100)),
            // By the origin's clock where it shows it.
            (200, &[old, ("Date", "@-500")], Some(50)),
            (200, &[("Last-Modified", "@-10000000")], Some(86_400)),
            (200, &[("Last-Modified", "@10")], None),
            (200, &[("Last-Modified", "yesterday")], None),
            (200, &[], None),
            (404, &[old], Some(100)),
            (403, &[old], None),
            (599, &[old], None),
            (599, &[old, ("Cache-Control", "public")], Some(100)),
        ] {
            assert_eq!(guess(status, list), expected, "{status} {list:?}");
        }
        let may: Vec<_> = (100..1_000).filter(|status| is_heuristically_cacheable(*status)).collect();
        assert_eq!(may, [200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501]);
    }

    #[test]
    fn ages_on_arrival() {
        for (list, expected) in [
            (&[][..], 0),
            (&[("Age", "7200")], 7_200),
            (&[("Age", " 7200 ")], 7_200),
            (&[("Age", "abc")], 0),
            (&[("Age", "-7200")], 0),
            (&[("Age", "7200.0")], 0),
            (&[("Age", "7200;foo=bar")], 0),
            (&[("Age", "2147483649")], 1 << 31),
            (&[("Age", "99999999999999999999")], 1 << 31),
            (&[("Age", "7200, 0")], 7_200),
            (&[("Age", "0, 7200")], 0),
            (&[("Age", "x, 7200")], 0),
            (&[("Age", "7200"), ("Age", "0")], 7_200),
            (&[("Age", "0"), ("Age", "7200")], 0),
            (&[("Date", "@-60")], 60),
            (&[("Date", "@60")], 0),
            (&[("Date", "@60"), ("Age", "15")], 15),
            (&[("Date", "@-10"), ("Age", "25")], 25),
            (&[("Date", "@-30"), ("Age", "25")], 30),
            (&[("Date", "foo"), ("Age", "25")], 25),
        ] {
            assert_eq!(age(list, NOW), expected * 1_000, "{list:?}");
        }
    }

    #[test]
    fn the_fetch_counts_into_the_age() {
        assert_eq!(age(&[], NOW - 300), 300);
        assert_eq!(age(&[("Age", "5")], NOW - 300), 5_300);
        assert_eq!(age(&[("Date", "@-5")], NOW - 300), 5_000);
        // A clock that went back.
        assert_eq!(age(&[("Age", "5")], NOW + 300), 5_000);
    }

    proptest! {
        #[test]
        fn arbitrary_values_never_panic(value in "[ -~]{0,40}", received_ms: u64, sent_ms: u64) {
            for name in ["Age", "Date", "Expires", "Last-Modified", "Cache-Control", "CDN-Cache-Control"] {
                let fields = [(name, value.as_str()), ("Date", "Sun, 06 Nov 1994 08:49:37 GMT")];
                let control = ResponseControl::of(fields.as_slice(), &["cdn-cache-control".to_owned()]);
                let times = Times { sent_ms, received_ms };
                explicit(&control, fields.as_slice(), times);
                heuristic(200, &control, fields.as_slice(), times, Duration::MAX);
                initial_age_ms(fields.as_slice(), times);
            }
        }
    }
}
