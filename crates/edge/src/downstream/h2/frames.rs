//! The outlines of HTTP/2 frames as their bytes pass (RFC 9113 §4.1): enough to count them, nothing of what is in them.

/// Bytes of a frame before its payload.
const HEAD_BYTES: usize = 9;
/// Where in them the kind stands, and where the flags.
const KIND_AT: usize = 3;
const FLAGS_AT: usize = 4;
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
/// The flag of the frame that ends a head (RFC 9113 §6.2, §6.10).
const END_HEADERS: u8 = 0x4;

/// What a frame is for. All that is not counted by itself is [`Kind::Other`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Data,
    Headers,
    ResetStream,
    Other,
}

/// A frame has begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Outline {
    pub kind: Kind,
    pub payload_bytes: u32,
}

/// Follows the bytes of one direction, however they are cut.
#[derive(Debug)]
pub(super) struct Scanner {
    head: [u8; HEAD_BYTES],
    head_len: usize,
    /// Bytes of no interest before the next frame.
    skip: u32,
    /// How far a head has come.
    block: Block,
    /// Heads that have ended.
    heads: u32,
}

/// The fields of a message: HEADERS, perhaps CONTINUATION, nothing between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Block {
    None,
    /// More frames are to follow this one.
    Open,
    /// It ends with the frame under way.
    Ending,
}

impl Scanner {
    /// A direction that begins with so many bytes that are no frame.
    pub(super) fn after(preface_bytes: u32) -> Self {
        Self { head: [0; HEAD_BYTES], head_len: 0, skip: preface_bytes, block: Block::None, heads: 0 }
    }

    /// How many heads came before the one that has begun and not ended, if one is under way.
    pub(super) fn head_under_way(&self) -> Option<u32> {
        let begins = self.head_len > KIND_AT && self.head[KIND_AT] == HEADERS;
        (begins || self.block != Block::None).then_some(self.heads)
    }

    /// Goes on with these bytes, and tells of each frame that begins in them.
    pub(super) fn feed(&mut self, mut bytes: &[u8], mut begun: impl FnMut(Outline)) {
        loop {
            let skipped = bytes.len().min(usize::try_from(self.skip).unwrap_or(usize::MAX));
            // Never more than was left to skip, which is a u32.
            self.skip -= skipped as u32;
            bytes = &bytes[skipped..];
            if self.skip == 0 && self.block == Block::Ending {
                self.block = Block::None;
                self.heads = self.heads.wrapping_add(1);
            }
            if bytes.is_empty() {
                return;
            }
            let taken = bytes.len().min(HEAD_BYTES - self.head_len);
            self.head[self.head_len..self.head_len + taken].copy_from_slice(&bytes[..taken]);
            self.head_len += taken;
            bytes = &bytes[taken..];
            if self.head_len < HEAD_BYTES {
                return;
            }
            self.head_len = 0;
            let [a, b, c, ..] = self.head;
            let payload_bytes = u32::from_be_bytes([0, a, b, c]);
            self.skip = payload_bytes;
            let (kind, ends) = (self.head[KIND_AT], self.head[FLAGS_AT] & END_HEADERS != 0);
            if kind == HEADERS || kind == CONTINUATION {
                self.block = if ends { Block::Ending } else { Block::Open };
            }
            let kind = match kind {
                0 => Kind::Data,
                HEADERS => Kind::Headers,
                3 => Kind::ResetStream,
                _ => Kind::Other,
            };
            begun(Outline { kind, payload_bytes });
        }
    }
}

/// The payload lengths of the frames that begin in pieces of a direction without a preface.
pub(crate) fn payloads<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<u32> {
    let (mut scanner, mut seen) = (Scanner::after(0), Vec::new());
    for piece in pieces {
        scanner.feed(piece, |frame| seen.push(frame.payload_bytes));
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frame(kind: u8, payload: usize) -> Vec<u8> {
        let len = (payload as u32).to_be_bytes();
        [&len[1..], &[kind, 0, 0, 0, 0, 1], &vec![7; payload]].concat()
    }

    #[test]
    fn frames_are_told_apart() {
        let bytes = [frame(0, 300), frame(1, 0), frame(3, 4), frame(6, 8), frame(200, 1)].concat();
        let mut seen = Vec::new();
        Scanner::after(0).feed(&bytes, |outline| seen.push((outline.kind, outline.payload_bytes)));
        assert_eq!(
            seen,
            [
                (Kind::Data, 300),
                (Kind::Headers, 0),
                (Kind::ResetStream, 4),
                (Kind::Other, 8),
                (Kind::Other, 1)
            ]
        );
    }

    #[test]
    fn a_head_lasts_from_its_first_frame_to_the_end_of_its_last() {
        let flagged = |kind: u8, flags: u8, payload: usize| {
            let mut bytes = frame(kind, payload);
            bytes[FLAGS_AT] = flags;
            bytes
        };
        let head =
            [flagged(HEADERS, 0, 3), flagged(CONTINUATION, 0, 0), flagged(CONTINUATION, END_HEADERS, 5)];
        for head in [head.concat(), flagged(HEADERS, END_HEADERS, 7), flagged(HEADERS, END_HEADERS, 0)] {
            let mut scanner = Scanner::after(0);
            for number in 0..2 {
                scanner.feed(&flagged(0, END_HEADERS, 20), |_| {});
                assert_eq!(scanner.head_under_way(), None);
                for (at, byte) in head.iter().enumerate() {
                    scanner.feed(&[*byte], |_| {});
                    let within = (at >= KIND_AT && at + 1 < head.len()).then_some(number);
                    assert_eq!(scanner.head_under_way(), within, "after byte {at} of {head:?}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn any_cut_shows_the_same_frames(
            frames in prop::collection::vec((0u8..12, 0usize..40), 0..12),
            cuts in prop::collection::vec(1usize..30, 1..40),
        ) {
            let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
            frames.iter().for_each(|(kind, payload)| bytes.extend(frame(*kind, *payload)));
            let (mut whole, mut cut) = (Vec::new(), Vec::new());
            Scanner::after(24).feed(&bytes, |outline| whole.push(outline));
            let mut scanner = Scanner::after(24);
            let mut rest = &bytes[..];
            for len in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (piece, left) = rest.split_at(rest.len().min(*len));
                scanner.feed(piece, |outline| cut.push(outline));
                rest = left;
            }
            prop_assert_eq!(&whole, &cut);
            prop_assert_eq!(whole.len(), frames.len());
        }
    }
}
