//! What a client asks of caches (RFC 9111 §5.2.1).

use crate::rules::fields::Fields;
use crate::rules::list::members;

use super::directive::directives;

/// The directives of a request, in seconds. Those that cannot be read count as not given; one given twice counts
/// as given first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RequestControl {
    /// `max-age`.
    pub max_age: Option<u32>,
    /// `min-fresh`.
    pub min_fresh: Option<u32>,
    /// `max-stale`; without a number any staleness will do: `u32::MAX`.
    pub max_stale: Option<u32>,
    /// `stale-if-error` (RFC 5861 §4).
    pub stale_if_error: Option<u32>,
    /// `no-cache`, or `Pragma: no-cache` where there is no `Cache-Control` (§5.4).
    pub no_cache: bool,
    /// `no-store`.
    pub no_store: bool,
    /// `no-transform`.
    pub no_transform: bool,
    /// `only-if-cached`.
    pub only_if_cached: bool,
}

impl RequestControl {
    /// Of a request.
    pub fn of<F: Fields + ?Sized>(request: &F) -> Self {
        let mut control = Self::default();
        let mut lines = request.values("cache-control").peekable();
        if lines.peek().is_none() {
            let mut pragma = request.values("pragma").flat_map(members);
            control.no_cache = pragma.any(|member| member.eq_ignore_ascii_case(b"no-cache"));
            return control;
        }
        for directive in lines.flat_map(directives) {
            let seconds = || directive.seconds();
            match directive.name.to_ascii_lowercase().as_slice() {
                b"max-age" => control.max_age = control.max_age.or_else(seconds),
                b"min-fresh" => control.min_fresh = control.min_fresh.or_else(seconds),
                b"max-stale" => {
                    let any = directive.is_bare().then_some(u32::MAX);
                    control.max_stale = control.max_stale.or(any).or_else(seconds);
                }
                b"stale-if-error" => control.stale_if_error = control.stale_if_error.or_else(seconds),
                b"no-cache" => control.no_cache = true,
                b"no-store" => control.no_store = true,
                b"no-transform" => control.no_transform = true,
                b"only-if-cached" => control.only_if_cached = true,
                _ => {}
            }
        }
        control
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(fields: &[(&str, &str)]) -> RequestControl {
        RequestControl::of(fields)
    }

    #[test]
    fn directives_of_requests() {
        let control = of(&[
            ("Cache-Control", "max-age=1, MIN-FRESH=\"2\", max-stale=3"),
            (
                "cache-control",
                "stale-if-error=4,no-cache, no-store, no-transform, only-if-cached, x=y, max-age=9",
            ),
        ]);
        let expected = RequestControl {
            max_age: Some(1),
            min_fresh: Some(2),
            max_stale: Some(3),
            stale_if_error: Some(4),
            no_cache: true,
            no_store: true,
            no_transform: true,
            only_if_cached: true,
        };
        assert_eq!(control, expected);
        assert_eq!(of(&[("Cache-Control", "max-stale")]).max_stale, Some(u32::MAX));
        assert_eq!(of(&[("Cache-Control", "max-stale=x, max-age, min-fresh=-1")]), RequestControl::default());
    }

    #[test]
    fn pragma_counts_where_cache_control_is_absent() {
        assert!(of(&[("Pragma", "x, No-Cache")]).no_cache);
        assert!(!of(&[("Pragma", "unrecognised")]).no_cache);
        assert!(!of(&[("Pragma", "no-cache"), ("Cache-Control", "max-age=1")]).no_cache);
    }
}
