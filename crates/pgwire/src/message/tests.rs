use super::*;

/// The tag and payload of the only message written.
pub(super) fn written(write: impl FnOnce(&mut Vec<u8>)) -> (u8, Vec<u8>) {
    let mut out = Vec::new();
    write(&mut out);
    let header = header(&out).unwrap().unwrap();
    assert_eq!(header.total(), out.len());
    (header.tag, out.split_off(HEADER_BYTES))
}

#[test]
fn a_header_needs_five_bytes() {
    let message = b"Q\0\0\0\x05\0";
    for n in 0..HEADER_BYTES {
        assert_eq!(header(&message[..n]), Ok(None));
    }
    let found = header(message).unwrap().unwrap();
    assert_eq!(found, Header { tag: b'Q', payload: 1 });
    assert_eq!(found.total(), message.len());
}

#[test]
fn a_length_counts_itself_and_fits_into_a_gibibyte() {
    let of = |length: u32| {
        let mut bytes = vec![b'd'];
        bytes.extend_from_slice(&length.to_be_bytes());
        header(&bytes).map(|header| header.unwrap().payload)
    };
    assert_eq!(of(4), Ok(0));
    assert_eq!(of(0x3fff_ffff + 4), Ok(MAX_PAYLOAD_BYTES));
    for length in [0, 1, 3, 0x3fff_ffff + 5, 0x7fff_ffff, 0x8000_0000, u32::MAX] {
        assert_eq!(of(length), Err(Malformed::Length(length)));
    }
}

#[test]
fn messages_follow_each_other_in_a_buffer() {
    let mut out = b"before".to_vec();
    raw(&mut out, b'S', &[]);
    raw(&mut out, b'd', b"data");
    assert_eq!(out, b"beforeS\0\0\0\x04d\0\0\0\x08data");
}
