//! What is kept of an answer, and how it is written down for stores outside of this process.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode};

use crate::head::{Fields, Name};

/// What a finished request has left for its repeats.
#[derive(Debug, Clone)]
pub(crate) enum Kept {
    /// Its answer.
    Whole(Arc<Answer>),
    /// Its answer was too large to be kept; only the status is known.
    TooLarge(StatusCode),
}

/// An answer, whole.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub status: StatusCode,
    pub fields: Fields,
    pub body: Bytes,
    pub trailers: Fields,
}

/// Something in a store that we have not written there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("what the store holds is not an answer of this version")]
pub(crate) struct Unreadable;

/// The form that is written. Another one gets another number.
const VERSION: u8 = 1;
const WHOLE: u8 = 0;
const TOO_LARGE: u8 = 1;

/// What a field costs in memory beside its bytes.
const FIELD_BYTES: usize = 32;

impl Kept {
    /// About how much memory it takes, bytes.
    pub fn weight(&self) -> usize {
        match self {
            Self::TooLarge(_) => 0,
            Self::Whole(answer) => {
                answer.body.len() + fields_weight(&answer.fields) + fields_weight(&answer.trailers)
            }
        }
    }

    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::TooLarge(status) => *status,
            Self::Whole(answer) => answer.status,
        }
    }

    /// Writes it down: form, kind, status, fields, trailers, body.
    pub fn encode(&self) -> Vec<u8> {
        let kind = if matches!(self, Self::Whole(_)) { WHOLE } else { TOO_LARGE };
        let mut out = Vec::with_capacity(self.weight() + 16);
        out.extend_from_slice(&[VERSION, kind]);
        out.extend_from_slice(&self.status().as_u16().to_be_bytes());
        if let Self::Whole(answer) = self {
            write_fields(&mut out, &answer.fields);
            write_fields(&mut out, &answer.trailers);
            out.extend_from_slice(&answer.body);
        }
        out
    }

    /// Reads what [`encode`](Self::encode) has written. Fields are checked anew: others may write to the store.
    ///
    /// # Errors
    /// When it is anything else.
    pub fn decode(bytes: &Bytes) -> Result<Self, Unreadable> {
        let mut rest = &bytes[..];
        let [version, kind, high, low] = take(&mut rest, 4)?.try_into().map_err(|_| Unreadable)?;
        let status = u16::from_be_bytes([high, low]);
        let is_final = version == VERSION && (200..600).contains(&status);
        let status = StatusCode::from_u16(status).ok().filter(|_| is_final).ok_or(Unreadable)?;
        match kind {
            WHOLE => {
                let (fields, trailers) = (read_fields(&mut rest)?, read_fields(&mut rest)?);
                let body = bytes.slice_ref(rest);
                Ok(Self::Whole(Arc::new(Answer { status, fields, trailers, body })))
            }
            TOO_LARGE if rest.is_empty() => Ok(Self::TooLarge(status)),
            _ => Err(Unreadable),
        }
    }
}

/// About how much memory fields take, bytes.
pub(crate) fn fields_weight(fields: &Fields) -> usize {
    fields.iter().map(|(_, name, value)| name.len() + value.len() + FIELD_BYTES).sum()
}

/// Of an answer's fields those that a repeat may see. `Set-Cookie` is for whoever asked first, unless told otherwise;
/// where caches and limits stood then is no news now.
pub(crate) fn kept_fields(fields: &Fields, keeps_cookies: bool) -> Fields {
    let mut kept = Fields::default();
    for (id, name, value) in fields.iter() {
        let drops = match id {
            Name::SetCookie => !keeps_cookies,
            Name::CacheStatus | Name::ContentLength | Name::Trailer => true,
            _ => {
                [&b"ratelimit"[..], b"ratelimit-policy"].iter().any(|known| name.eq_ignore_ascii_case(known))
            }
        };
        if !drops {
            kept.add(name, value);
        }
    }
    kept
}

fn write_fields(out: &mut Vec<u8>, fields: &Fields) {
    // Heads are limited to far less than 4 GiB.
    out.extend_from_slice(&(fields.len() as u32).to_be_bytes());
    for (_, name, value) in fields.iter() {
        for part in [name, value] {
            out.extend_from_slice(&(part.len() as u32).to_be_bytes());
            out.extend_from_slice(part);
        }
    }
}

fn read_fields(rest: &mut &[u8]) -> Result<Fields, Unreadable> {
    let mut fields = Fields::default();
    for _ in 0..read_length(rest)? {
        let name = read_part(rest)?;
        let value = read_part(rest)?;
        HeaderName::from_bytes(name).map_err(|_| Unreadable)?;
        HeaderValue::from_bytes(value).map_err(|_| Unreadable)?;
        fields.add(name, value);
    }
    Ok(fields)
}

fn read_part<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], Unreadable> {
    let length = read_length(rest)?;
    take(rest, length as usize)
}

fn read_length(rest: &mut &[u8]) -> Result<u32, Unreadable> {
    let bytes = take(rest, 4)?.try_into().map_err(|_| Unreadable)?;
    Ok(u32::from_be_bytes(bytes))
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], Unreadable> {
    let (taken, left) = rest.split_at_checked(length).ok_or(Unreadable)?;
    *rest = left;
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_answer_is_read_as_it_was_written() {
        let answer = Answer {
            status: StatusCode::CREATED,
            fields: Fields::of(&[("Location", "/orders/7"), ("x-empty", "")]),
            body: Bytes::from_static(b"{\"id\":7}\r\n\0"),
            trailers: Fields::of(&[("grpc-status", "0")]),
        };
        let written = Bytes::from(Kept::Whole(Arc::new(answer)).encode());
        let Ok(Kept::Whole(read)) = Kept::decode(&written) else { panic!("it is whole") };
        assert_eq!(read.status, 201);
        assert_eq!(read.fields.get(b"location"), Some(&b"/orders/7"[..]));
        assert_eq!((read.fields.len(), read.trailers.len()), (2, 1));
        assert_eq!(&read.body[..], b"{\"id\":7}\r\n\0");

        let written = Bytes::from(Kept::TooLarge(StatusCode::OK).encode());
        assert!(matches!(Kept::decode(&written), Ok(Kept::TooLarge(StatusCode::OK))));
    }

    #[test]
    fn fields_that_would_split_an_answer_are_refused() {
        for (name, value) in [("a\r\nb", "c"), ("a", "b\r\nc: d"), ("", "b"), ("a b", "c")] {
            let mut written = vec![VERSION, WHOLE, 0, 200];
            written.extend_from_slice(&1_u32.to_be_bytes());
            for part in [name, value] {
                written.extend_from_slice(&(part.len() as u32).to_be_bytes());
                written.extend_from_slice(part.as_bytes());
            }
            written.extend_from_slice(&0_u32.to_be_bytes());
            assert!(Kept::decode(&written.into()).is_err(), "{name:?}: {value:?}");
        }
    }

    #[test]
    fn cookies_are_for_the_first_and_the_length_for_the_frame() {
        let all = Fields::of(&[
            ("Set-Cookie", "a=b"),
            ("Content-Length", "7"),
            ("RateLimit", "x"),
            ("cache-status", "y"),
            ("Location", "/1"),
        ]);
        let names = |fields: &Fields| {
            fields.iter().map(|(_, name, _)| String::from_utf8_lossy(name).into_owned()).collect::<Vec<_>>()
        };
        assert_eq!(names(&kept_fields(&all, false)), ["Location"]);
        assert_eq!(names(&kept_fields(&all, true)), ["Set-Cookie", "Location"]);
    }

    proptest! {
        #[test]
        fn whatever_the_store_holds_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut bytes = bytes;
            if let Some(first) = bytes.first_mut() {
                *first = VERSION;
            }
            let bytes = Bytes::from(bytes);
            if let Ok(kept) = Kept::decode(&bytes) {
                prop_assert_eq!(kept.encode(), &bytes[..]);
            }
        }
    }
}
