//! WebSockets (RFC 6455), as far as one has to know them to end one properly: where its frames begin.

mod relay;
#[cfg(test)]
mod tests;

pub(crate) use relay::relay;

/// Bytes of the longest frame header: two, a length of eight, a mask of four.
const LONGEST_HEADER: usize = 14;
/// The opcode of a Close frame.
const CLOSE: u8 = 8;
/// Marks a masked payload.
const MASKED: u8 = 0x80;

/// Follows the frames of one direction, byte by byte, without keeping any of them.
///
/// Between two frames one of ours may be put, even between those of a fragmented message if it is a control frame (RFC 6455
/// §5.4).
#[derive(Debug, Clone, Copy, Default)]
pub struct Frames {
    header: [u8; LONGEST_HEADER],
    /// How much of the header is known.
    known: usize,
    /// Payload bytes yet to come.
    left: u64,
    /// A Close frame has passed.
    closed: bool,
    /// What passed cannot be frames.
    lost: bool,
}

impl Frames {
    /// Whether a frame of ours may follow what has passed.
    pub fn is_between(&self) -> bool {
        self.known == 0 && self.left == 0 && !self.lost
    }

    /// Whether a whole Close frame has passed: nothing may follow it.
    pub fn has_closed(&self) -> bool {
        self.closed
    }

    /// Takes note of bytes that have passed.
    pub fn pass(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let n = self.step(bytes);
            bytes = &bytes[n..];
        }
    }

    /// How many of the bytes to come belong to the frame that is under way, or to the next if none is.
    pub fn rest_of_frame(&self, bytes: &[u8]) -> usize {
        let mut ahead = *self;
        ahead.step(bytes)
    }

    /// Takes bytes up to the end of a frame; how many.
    fn step(&mut self, bytes: &[u8]) -> usize {
        if self.lost {
            return bytes.len();
        }
        let mut taken = 0;
        while self.left == 0 {
            let Some(byte) = bytes.get(taken) else { return taken };
            self.header[self.known] = *byte;
            self.known += 1;
            taken += 1;
            if self.known < self.header_len() {
                continue;
            }
            let Some(payload) = self.payload_len() else {
                self.lost = true;
                return bytes.len();
            };
            if payload == 0 {
                self.end_frame();
                return taken;
            }
            self.left = payload;
        }
        let rest = (bytes.len() - taken) as u64;
        let payload = self.left.min(rest);
        self.left -= payload;
        if self.left == 0 {
            self.end_frame();
        }
        taken + payload as usize
    }

    fn end_frame(&mut self) {
        self.closed |= self.header[0] & 0x0f == CLOSE;
        self.known = 0;
    }

    /// How long the header is, as far as can be told.
    fn header_len(&self) -> usize {
        if self.known < 2 {
            return 2;
        }
        let length = match self.header[1] & !MASKED {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        2 + length + if self.header[1] & MASKED == 0 { 0 } else { 4 }
    }

    /// The length in a whole header; none for one that cannot be.
    fn payload_len(&self) -> Option<u64> {
        let big_endian = |bytes: &[u8]| bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte));
        match self.header[1] & !MASKED {
            126 => Some(big_endian(&self.header[2..4])),
            127 => Some(big_endian(&self.header[2..10])).filter(|length| length >> 63 == 0),
            short => Some(u64::from(short)),
        }
    }
}
