//! The chunked transfer coding (RFC 9112 §7.1).

use crate::head::Fields;

use super::parse;

/// Bytes a chunk's size line may take, extensions included: more is an attack (CVE-2023-39326).
const MAX_SIZE_LINE: usize = 256;
/// Bytes a trailer section may take.
const MAX_TRAILERS: usize = 16 * 1024;

/// The body breaks the coding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the chunked body is malformed")]
pub struct BadChunk;

/// What the front of the buffer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Skip this many bytes of framing, then ask again.
    Skip(usize),
    /// This many bytes are data; call [`Decoder::took`] with what was taken of them.
    Data(usize),
    /// Skip this many bytes: the body is over. The trailers, if any, are in the decoder.
    End(usize),
    /// More bytes are needed.
    More,
}

/// Reads a chunked body piece by piece.
#[derive(Debug, Default)]
pub struct Decoder {
    state: State,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Size,
    Data(u64),
    DataEnd,
    Trailers,
    Done,
}

impl Decoder {
    /// Looks at the front of the buffer. Trailers are put in `trailers` on [`Step::End`].
    ///
    /// # Errors
    /// When the coding is broken.
    pub fn step(&mut self, buffer: &[u8], trailers: &mut Fields) -> Result<Step, BadChunk> {
        match self.state {
            State::Size => self.size(buffer),
            State::Data(_) if buffer.is_empty() => Ok(Step::More),
            State::Data(left) => {
                Ok(Step::Data(usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len())))
            }
            State::DataEnd => match buffer {
                [b'\r', b'\n', ..] => {
                    self.state = State::Size;
                    Ok(Step::Skip(2))
                }
                [] | [b'\r'] => Ok(Step::More),
                _ => Err(BadChunk),
            },
            State::Trailers => self.trailers(buffer, trailers),
            State::Done => Ok(Step::End(0)),
        }
    }

    /// Notes that data was taken from the buffer.
    pub fn took(&mut self, n: usize) {
        if let State::Data(left) = &mut self.state {
            *left -= n as u64;
            if *left == 0 {
                self.state = State::DataEnd;
            }
        }
    }

    /// Whether the end has been read.
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    fn size(&mut self, buffer: &[u8]) -> Result<Step, BadChunk> {
        let Some(line_len) = memchr::memchr(b'\n', buffer) else {
            // One more, for the CR.
            return if buffer.len() > MAX_SIZE_LINE + 1 { Err(BadChunk) } else { Ok(Step::More) };
        };
        let line = buffer[..line_len].strip_suffix(b"\r").ok_or(BadChunk)?;
        if line.len() > MAX_SIZE_LINE || line.contains(&b'\r') {
            return Err(BadChunk);
        }
        let digits = line.iter().take_while(|b| b.is_ascii_hexdigit()).count();
        // Sixteen digits would reach 2^64; what follows them may only be an extension.
        if digits == 0 || digits > 15 || !matches!(line.get(digits), None | Some(b';' | b' ' | b'\t')) {
            return Err(BadChunk);
        }
        if !valid_extension(&line[digits..]) {
            return Err(BadChunk);
        }
        let size = line[..digits].iter().fold(0u64, |n, b| {
            n << 4
                | u64::from(match b {
                    b'0'..=b'9' => b - b'0',
                    _ => (b | 0x20) - b'a' + 10,
                })
        });
        self.state = if size == 0 { State::Trailers } else { State::Data(size) };
        Ok(Step::Skip(line_len + 1))
    }

    fn trailers(&mut self, buffer: &[u8], fields: &mut Fields) -> Result<Step, BadChunk> {
        match buffer {
            [b'\r', b'\n', ..] => {
                fields.clear();
                self.state = State::Done;
                return Ok(Step::End(2));
            }
            [] | [b'\r'] => return Ok(Step::More),
            _ => {}
        }
        match parse::trailers(buffer, fields).map_err(|_| BadChunk)? {
            Some(len) if len <= MAX_TRAILERS => {
                self.state = State::Done;
                Ok(Step::End(len))
            }
            None if buffer.len() <= MAX_TRAILERS => Ok(Step::More),
            _ => Err(BadChunk),
        }
    }
}

/// Blank space, then nothing or `;` and no control characters.
fn valid_extension(rest: &[u8]) -> bool {
    let rest = rest.trim_ascii_start();
    (rest.is_empty() || rest[0] == b';') && rest.iter().all(|b| *b == b'\t' || (*b >= b' ' && *b != 0x7f))
}

/// Appends the line that opens a chunk of that size.
pub fn write_size(out: &mut Vec<u8>, size: usize) {
    let digits = (usize::BITS - size.leading_zeros()).div_ceil(4).max(1);
    for at in (0..digits).rev() {
        out.push(b"0123456789abcdef"[size >> (4 * at) & 15]);
    }
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Decodes a body that arrives in pieces ending at the given offsets.
    fn decode(body: &[u8], cuts: &[usize]) -> Result<Option<(Vec<u8>, usize, Fields)>, BadChunk> {
        let (mut decoder, mut trailers, mut data) = (Decoder::default(), Fields::default(), Vec::new());
        let mut at = 0;
        for end in cuts.iter().copied().chain([body.len()]) {
            loop {
                match decoder.step(&body[at..end.max(at)], &mut trailers)? {
                    Step::Skip(n) => at += n,
                    Step::Data(n) => {
                        data.extend_from_slice(&body[at..at + n]);
                        decoder.took(n);
                        at += n;
                    }
                    Step::End(n) => return Ok(Some((data, at + n, trailers))),
                    Step::More => break,
                }
            }
        }
        Ok(None)
    }

    #[test]
    fn a_body_with_extensions_and_trailers() {
        let body = b"5;a=b\r\nhello\r\n6 \r\n world\r\n0\r\nChecksum: x\r\n\r\nNEXT";
        let (data, len, trailers) = decode(body, &[]).unwrap().unwrap();
        assert_eq!(data, b"hello world");
        assert_eq!(&body[len..], b"NEXT");
        assert_eq!(trailers.get(b"checksum"), Some(&b"x"[..]));
    }

    #[test]
    fn broken_bodies_are_refused() {
        for body in [
            &b"g\r\n"[..],
            b"\r\n",
            b"-1\r\n",
            b"0x5\r\nhello\r\n",
            b"5\nhello\r\n0\r\n\r\n",
            b"5\r\nhelloX\r\n",
            b"5\r\nhello\n0\r\n\r\n",
            b"5 5\r\nhello\r\n",
            b"1000000000000000\r\n",
            b"5;\0\r\nhello\r\n",
            b"0\r\n folded: x\r\n\r\n",
        ] {
            assert_eq!(decode(body, &[]).err(), Some(BadChunk), "{:?}", body.escape_ascii().to_string());
        }
        assert_eq!(decode(&[b'0'; 300], &[]).err(), Some(BadChunk));
        let long = [b"0\r\nX: ".to_vec(), vec![b'a'; MAX_TRAILERS]].concat();
        assert_eq!(decode(&long, &[]).err(), Some(BadChunk));
    }

    proptest! {
        #[test]
        fn any_cut_gives_the_same_body(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..50), 0..8),
            cuts in prop::collection::vec(0usize..400, 0..6),
        ) {
            let mut body = Vec::new();
            for chunk in &chunks {
                write_size(&mut body, chunk.len());
                body.extend_from_slice(chunk);
                body.extend_from_slice(b"\r\n");
            }
            body.extend_from_slice(b"0\r\n\r\n");
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(body.len())).collect();
            cuts.sort_unstable();
            let (data, len, _) = decode(&body, &cuts).unwrap().unwrap();
            prop_assert_eq!(data, chunks.concat());
            prop_assert_eq!(len, body.len());
        }

        #[test]
        fn arbitrary_bytes_never_panic(body in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = decode(&body, &[]);
        }
    }
}
