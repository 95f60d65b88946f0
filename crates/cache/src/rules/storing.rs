//! Whether a response is stored (RFC 9111 §3), and what is kept of it.

use std::ops::Range;
use std::time::Duration;

use http::{Method, StatusCode};

use super::control::{RequestControl, ResponseControl};
use super::excluded::{Excluded, is_cookie};
use super::fields::{Fields, Request, Response, Times};
use super::freshness::{explicit, heuristic, initial_age_ms, is_heuristically_cacheable, millis};
use super::meta::{Flags, Meta};
use super::policy::{Cookies, Policy, SetCookie};
use super::range::ContentRange;
use super::refusal::NotStored;
use super::validators::Validators;
use super::vary::Vary;

/// A response that may be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Storable {
    /// Its times and flags.
    pub meta: Meta,
    /// What part of the content it is: `Some` for 206 only.
    pub part: Option<Part>,
    /// The request fields it depends on.
    pub vary: Vary,
    /// The fields of it that are not stored.
    pub excluded: Excluded,
}

/// A part of the content of a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The bytes it holds, end exclusive. Whether as many arrive is for the one who reads them to check.
    pub range: Range<u64>,
    /// The length of the whole, if known.
    pub len: Option<u64>,
    /// Whether it may be combined with other parts that have the same strong validator (RFC 9111 §3.4). If not it
    /// may still answer requests for what is within it.
    pub combinable: bool,
}

/// Decides whether a response to a request may be stored.
pub fn store<Q: Fields + ?Sized, S: Fields + ?Sized>(
    request: Request<'_, Q>,
    response: Response<'_, S>,
    policy: &Policy,
    times: Times,
) -> Result<Storable, NotStored> {
    if *request.method != Method::GET {
        return Err(NotStored::Method);
    }
    if has_content(request.fields) {
        return Err(NotStored::RequestContent);
    }
    check_status(response.status)?;
    let control = ResponseControl::of(response.fields, &policy.targeted);
    check_permission(request.fields, response.status, &control, policy)?;
    let cookies = check_cookies(response.fields, &control, policy)?;
    let vary = Vary::of(response.fields)?;
    let validators = Validators::of(response.fields, times.received_ms);
    let part = (response.status == 206).then(|| part(response.fields, &validators)).transpose()?;
    let meta = meta(request.fields, response, &control, &validators, policy, times)?;
    let excluded = Excluded::of(response.fields, &control, cookies);
    Ok(Storable { meta, part, vary, excluded })
}

/// Decides anew about a stored response that a 304 or a HEAD has [freshened](super::freshen), given its stored status
/// and the merged fields; an error means to drop it. Who has asked does not count: the content is the one that was
/// found fit for all when it was stored.
pub fn update<S: Fields + ?Sized>(
    merged: Response<'_, S>,
    policy: &Policy,
    times: Times,
) -> Result<Storable, NotStored> {
    let nobody: &[(&str, &str)] = &[];
    store(Request { method: &Method::GET, fields: nobody }, merged, policy, times)
}

/// Whether a request has content ("fat GET"). Its response may depend on it, but no key does.
pub fn has_content<F: Fields + ?Sized>(request: &F) -> bool {
    let length = request.values("content-length").any(|length| length.iter().any(|b| *b != b'0'));
    length || request.first("transfer-encoding").is_some()
}

fn check_status(status: u16) -> Result<(), NotStored> {
    match status {
        304 => Err(NotStored::NotModified),
        412 | 416 => Err(NotStored::AnswersCondition),
        200..1_000 => Ok(()),
        _ => Err(NotStored::NotFinal),
    }
}

/// Status codes whose caching requirements this cache meets (RFC 9111 §5.2.2.3): those of RFC 9110 §15.
fn is_understood(status: u16) -> bool {
    matches!(status, 200..=206 | 300..=305 | 307 | 308 | 400..=415 | 417 | 421 | 422 | 426 | 500..=505)
}

/// What the messages themselves forbid.
fn check_permission<Q: Fields + ?Sized>(
    request: &Q,
    status: u16,
    control: &ResponseControl,
    policy: &Policy,
) -> Result<(), NotStored> {
    // `must-understand` comes with a `no-store` for caches that do not know it (RFC 9111 §5.2.2.3).
    if control.must_understand && !is_understood(status) {
        return Err(NotStored::StatusNotUnderstood);
    }
    if control.no_store && !control.must_understand {
        return Err(NotStored::NoStore);
    }
    if control.private {
        return Err(NotStored::Private);
    }
    if policy.honour_client && RequestControl::of(request).no_store {
        return Err(NotStored::ClientNoStore);
    }
    let shared = control.public || control.s_maxage.is_some() || control.must_revalidate;
    if !shared && request.first("authorization").is_some() {
        return Err(NotStored::Authorization);
    }
    Ok(())
}

/// Whether cookies are to be left out. Cookies that the response itself withholds harm nobody.
fn check_cookies<S: Fields + ?Sized>(
    response: &S,
    control: &ResponseControl,
    policy: &Policy,
) -> Result<bool, NotStored> {
    let mut names = response.iter().map(|(name, _)| name).filter(|name| is_cookie(name));
    let sets_cookies = names.any(|name| !control.withholds(&name.to_ascii_lowercase()));
    match policy.set_cookie {
        SetCookie::Keep => Ok(false),
        SetCookie::Refuse if sets_cookies && !control.public && control.s_maxage.is_none() => {
            Err(NotStored::SetCookie)
        }
        SetCookie::Refuse | SetCookie::Strip => Ok(true),
    }
}

fn part<S: Fields + ?Sized>(response: &S, validators: &Validators<'_>) -> Result<Part, NotStored> {
    let range =
        response.first("content-range").and_then(ContentRange::parse).ok_or(NotStored::ContentRange)?;
    Ok(Part { range: range.range, len: range.len, combinable: validators.is_strong() })
}

fn meta<Q: Fields + ?Sized, S: Fields + ?Sized>(
    request: &Q,
    response: Response<'_, S>,
    control: &ResponseControl,
    validators: &Validators<'_>,
    policy: &Policy,
    times: Times,
) -> Result<Meta, NotStored> {
    let stated = explicit(control, response.fields, times);
    let may_guess = control.public || is_heuristically_cacheable(response.status);
    if stated.is_none() {
        if !may_guess {
            return Err(NotStored::NoFreshness);
        }
        let cookie = policy.cookies == Cookies::NeedExplicit && request.first("cookie").is_some();
        if cookie && !control.public {
            return Err(NotStored::Cookie);
        }
    }
    let initial_age_ms = initial_age_ms(response.fields, times);
    let max_ms = policy.max_ttl.map_or(u64::MAX, millis);
    let from_arrival = |ttl: Duration| initial_age_ms.saturating_add(millis(ttl).min(max_ms));
    // An error that says how long it holds is not made to hold longer.
    let override_ttl = policy.override_ttl.filter(|_| may_guess || response.status < 400);
    let ours = override_ttl.or(policy.default_ttl.filter(|_| stated.is_none())).map(from_arrival);
    let guess = || heuristic(response.status, control, response.fields, times, policy.heuristic_max);
    let guessed = if stated.is_none() && ours.is_none() { guess() } else { None };
    let lifetime_ms = ours.unwrap_or_else(|| stated.or(guessed).unwrap_or(0).min(max_ms));

    // Where the policy replaces the lifetime, `s-maxage` does not apply, nor does what it implies.
    let shared_lifetime = control.s_maxage.is_some() && override_ttl.is_none();
    let windows = windows(control, shared_lifetime, policy);
    let flags = Flags::MUST_REVALIDATE.when(control.is_strict() || shared_lifetime)
        | Flags::ALWAYS_REVALIDATE.when(control.no_cache)
        | Flags::HEURISTIC.when(guessed.is_some())
        | Flags::IMMUTABLE.when(control.immutable)
        | Flags::NO_TRANSFORM.when(control.no_transform)
        | Flags::ETAG.when(validators.etag.is_some())
        | Flags::LAST_MODIFIED.when(validators.last_modified.is_some())
        | Flags::STRONG.when(validators.is_strong())
        | Flags::PARTIAL.when(response.status == 206);
    let meta = Meta {
        response_ms: times.received_ms,
        initial_age_ms,
        lifetime_ms,
        stale_while_revalidate_ms: windows.0,
        stale_if_error_ms: windows.1,
        fetch_ms: u32::try_from(times.received_ms.saturating_sub(times.sent_ms)).unwrap_or(u32::MAX),
        // Checked to be one before anything else.
        status: StatusCode::from_u16(response.status).map_err(|_| NotStored::NotFinal)?,
        flags,
    };
    let usable = !control.no_cache && meta.useful_until_ms() > times.received_ms;
    if usable || meta.has_validator() { Ok(meta) } else { Err(NotStored::Pointless) }
}

/// How long a stale response may be used, while it is fetched anew and when that fails. What the response says
/// itself holds beside `s-maxage` (the two are sent together to mean just that), what the policy says does not:
/// RFC 9111 §4.2.4 forbids it.
fn windows(control: &ResponseControl, shared_lifetime: bool, policy: &Policy) -> (u64, u64) {
    if control.is_strict() {
        return (0, 0);
    }
    let window = |stated: Option<u32>, ours| match stated {
        Some(seconds) => u64::from(seconds) * 1_000,
        None if shared_lifetime => 0,
        None => millis(ours),
    };
    (
        window(control.stale_while_revalidate, policy.stale_while_revalidate),
        window(control.stale_if_error, policy.stale_if_error),
    )
}

#[cfg(test)]
mod tests;
