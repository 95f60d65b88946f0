//! What is said of cliffs.

use super::{Cliff, Level, Served};
use crate::cliffs::{Finding, Outlook, Range};
use crate::picture::Load;

/// One cliff in a sentence.
pub(super) fn sentence(finding: &Finding, load: Option<&Load>) -> String {
    let what = &finding.what;
    let now =
        load.map(|load| format!("; you are at {} {}", number(load.now), load.short)).unwrap_or_default();
    if let Some(pressing) = &finding.pressing {
        return format!("{what}: {pressing}{now}");
    }
    match (&finding.outlook, load) {
        (Outlook::AtLoad(range), Some(load)) => {
            let Range { value, low, high, .. } = range;
            format!("{what} at {} {} ({}–{}){now}", number(*value), load.short, number(*low), number(*high))
        }
        (Outlook::InTime(range), _) => {
            format!("{what} in {} ({}–{})", time(range.value), time(range.low), time(range.high))
        }
        (Outlook::NoneInSight(why), _) => format!("not in sight that {what}: {why}"),
        (Outlook::CannotTell(why), _) => format!("cannot tell yet when {what}: {why}"),
        (Outlook::AtLoad(_), None) => format!("cannot tell yet when {what}: nothing is served"),
    }
}

/// All of it in a sentence.
pub(super) fn summary(cliffs: &[Cliff], served: Served, trouble: Option<&str>) -> String {
    let first = cliffs.first();
    let and = |text: &str| match trouble {
        Some(trouble) => format!("{trouble}; {text}"),
        None => text.to_owned(),
    };
    if let Some(first) = first.filter(|first| first.state == "pressing" || first.level > Level::Clear) {
        return and(&first.text);
    }
    match (served, trouble) {
        (Served::Never | Served::Before, Some(trouble)) => return trouble.to_owned(),
        (Served::Never, None) => return "no load was measured yet, so nothing can be told".into(),
        (Served::Before, None) => return "nothing is served now, so nothing can be told".into(),
        (Served::Now, _) => {}
    }
    // What is looked at and hardly in use does not matter, though it cannot be told when it ends.
    let small = |cliff: &Cliff| cliff.used.zip(cliff.limit).is_some_and(|(used, limit)| used < limit / 2.0);
    let unknown = cliffs.iter().any(|cliff| cliff.level == Level::Unknown && !small(cliff));
    match (first, trouble) {
        (Some(first), Some(_)) if first.is_in_sight() => and(&first.text),
        (_, Some(_)) => and("where the next cliff is cannot be told"),
        (Some(first), None) if first.is_in_sight() && unknown => {
            format!("all is well, as far as can be told: {}", first.text)
        }
        (Some(first), None) if first.is_in_sight() => format!("all is well: {}", first.text),
        _ if cliffs.iter().any(|cliff| cliff.level == Level::Unknown) => {
            "cannot tell yet: needs more time or more load".into()
        }
        _ => "no cliff is in sight".into(),
    }
}

/// A number with the digits that mean something.
pub(in crate::cliffs) fn number(value: f64) -> String {
    let value = rounded(value);
    if value.abs() >= 10.0 { thousands(value) } else { format!("{value}") }
}

/// Three digits, or two below a hundred.
pub(super) fn rounded(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    let digits = if value.abs() >= 100.0 { 3 } else { 2 };
    let magnitude = value.abs().log10().floor() as i32 + 1;
    let shift = 10_f64.powi((digits - magnitude).abs());
    if digits >= magnitude { (value * shift).round() / shift } else { (value / shift).round() * shift }
}

/// A whole number: 20,000.
pub(in crate::cliffs) fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) && digit != '-' {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A time in the unit a person would take.
fn time(seconds: f64) -> String {
    let (value, unit) = match seconds {
        s if s < 90.0 => (s, "s"),
        s if s < 5_400.0 => (s / 60.0, "min"),
        s if s < 172_800.0 => (s / 3_600.0, "h"),
        s => (s / 86_400.0, "days"),
    };
    format!("{} {unit}", number(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_digits_that_mean_something() {
        for (value, text) in [
            (0.0, "0"),
            (0.1234, "0.12"),
            (9.87, "9.9"),
            (12.4, "12"),
            (412.3, "412"),
            (4_123.0, "4,120"),
            (1_234_567.0, "1,230,000"),
        ] {
            assert_eq!(number(value), text);
        }
        assert_eq!(time(45.0), "45 s");
        assert_eq!(time(3_600.0), "60 min");
        assert_eq!(time(10_000.0), "2.8 h");
        assert_eq!(time(864_000.0), "10 days");
    }
}
