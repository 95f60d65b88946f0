//! Frames, however they are cut.

use deepwater_core::random::Random;

use super::*;

fn frame(opcode: u8, payload: usize, masked: bool) -> Vec<u8> {
    let mask = if masked { MASKED } else { 0 };
    let mut bytes = vec![0x80 | opcode];
    match payload {
        0..=125 => bytes.push(mask | payload as u8),
        126..=0xffff => {
            bytes.push(mask | 126);
            bytes.extend_from_slice(&(payload as u16).to_be_bytes());
        }
        _ => {
            bytes.push(mask | 127);
            bytes.extend_from_slice(&(payload as u64).to_be_bytes());
        }
    }
    if masked {
        bytes.extend_from_slice(&[1, 2, 3, 4]);
    }
    // Payload that looks like the head of a frame.
    bytes.resize(bytes.len() + payload, 0x88);
    bytes
}

#[test]
fn ends_of_frames_are_found_however_they_are_cut() {
    let seed = 0x5eed;
    println!("seed {seed}");
    let mut random = Random::from_seed(seed);
    let lengths = [0, 1, 125, 126, 127, 300, 65_535, 65_536, 70_000];
    for _ in 0..300 {
        let (mut bytes, mut ends) = (Vec::new(), vec![0]);
        for _ in 0..1 + random.below(6) {
            let length = lengths[random.below(lengths.len())];
            bytes.extend(frame(1 + random.below(2) as u8, length, random.below(2) == 0));
            ends.push(bytes.len());
        }
        let (mut frames, mut at) = (Frames::default(), 0);
        while at < bytes.len() {
            assert_eq!(frames.is_between(), ends.contains(&at), "at {at}, ends {ends:?}");
            let next = ends.iter().find(|end| **end > at).copied().unwrap_or(bytes.len());
            let part = 1 + random.below(100_000);
            let part = &bytes[at..bytes.len().min(at + part)];
            assert_eq!(frames.rest_of_frame(part), part.len().min(next - at));
            frames.pass(part);
            at += part.len();
        }
        assert!(frames.is_between() && !frames.has_closed());
        frames.pass(&frame(CLOSE, 2, false));
        assert!(frames.has_closed());
    }
}

#[test]
fn a_close_counts_when_it_is_whole() {
    let mut frames = Frames::default();
    let close = frame(CLOSE, 2, true);
    frames.pass(&close[..close.len() - 1]);
    assert!(!frames.has_closed() && !frames.is_between());
    frames.pass(&close[close.len() - 1..]);
    assert!(frames.has_closed() && frames.is_between());
}

#[test]
fn what_cannot_be_frames_has_no_ends() {
    let mut frames = Frames::default();
    frames.pass(&[0x82, 127, 0xff, 0, 0, 0, 0, 0, 0, 0]);
    assert!(!frames.is_between());
    assert_eq!(frames.rest_of_frame(b"anything"), 8);
    frames.pass(b"anything");
    assert!(!frames.is_between() && !frames.has_closed());
}
