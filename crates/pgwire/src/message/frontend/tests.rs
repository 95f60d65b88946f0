use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::message::tests::written;
use crate::message::{HEADER_BYTES, header};

/// Anything a C string can hold.
fn name() -> impl Strategy<Value = Vec<u8>> {
    vec(1..=u8::MAX, 0..40)
}

proptest! {
    #[test]
    fn what_is_written_is_read(a in name(), b in name(), types in vec(any::<u32>(), 0..5), rows: i32) {
        let (tag, payload) = written(|out| write::query(out, &a));
        prop_assert_eq!((tag, query_text(&payload)), (QUERY, Ok(&a[..])));

        let mut raw_types = (types.len() as u16).to_be_bytes().to_vec();
        types.iter().for_each(|oid| raw_types.extend_from_slice(&oid.to_be_bytes()));
        let (tag, payload) = written(|out| write::parse(out, &a, &b, &raw_types));
        prop_assert_eq!(tag, PARSE);
        prop_assert_eq!(Parse::read(&payload), Ok(Parse { name: &a, query: &b, types: &raw_types }));

        for kind in [Kind::Statement, Kind::Portal] {
            let (tag, payload) = written(|out| write::describe(out, kind, &a));
            prop_assert_eq!((tag, Target::read(&payload)), (DESCRIBE, Ok(Target { kind, name: &a })));
            let (tag, payload) = written(|out| write::close(out, kind, &a));
            prop_assert_eq!((tag, Target::read(&payload)), (CLOSE, Ok(Target { kind, name: &a })));
        }

        let (tag, payload) = written(|out| write::execute(out, &a, rows));
        prop_assert_eq!((tag, Execute::read(&payload)), (EXECUTE, Ok(Execute { portal: &a, max_rows: rows })));

        let (tag, payload) = written(|out| write::password(out, &a));
        prop_assert_eq!((tag, password(&payload)), (PASSWORD, Ok(&a[..])));

        let (tag, payload) = written(|out| write::sasl_initial_response(out, "SCRAM-SHA-256", &b));
        let initial = SaslInitialResponse { mechanism: "SCRAM-SHA-256", response: Some(&b) };
        prop_assert_eq!((tag, SaslInitialResponse::read(&payload)), (PASSWORD, Ok(initial)));
    }

    #[test]
    fn a_bind_gets_another_statement(portal in name(), old in name(), new in name(), values in vec(any::<u8>(), 0..99)) {
        let bind = |statement: &[u8]| [&portal, &b"\0"[..], statement, b"\0", &values].concat();
        let payload = bind(&old);
        let names = BindNames::read(&payload).unwrap();
        prop_assert_eq!((names.portal, names.statement), (&portal[..], &old[..]));

        let mut out = Vec::new();
        write::bind_head(&mut out, names.portal, &new, payload.len() - names.rest);
        out.extend_from_slice(&payload[names.rest..]);
        let header = header(&out).unwrap().unwrap();
        prop_assert_eq!((header.tag, header.total()), (BIND, out.len()));
        prop_assert_eq!(&out[HEADER_BYTES..], bind(&new));

        // The names are known as soon as both have come, and not before.
        for n in 0..payload.len() {
            prop_assert_eq!(BindNames::read_prefix(&payload[..n]), (n >= names.rest).then_some(names));
        }
    }

    #[test]
    fn no_payload_brings_a_reader_down(payload in vec(prop_oneof![Just(0), Just(b'S'), any::<u8>()], 0..40)) {
        let _ = (query_text(&payload), Parse::read(&payload), BindNames::read(&payload));
        let _ = (Target::read(&payload), Execute::read(&payload), SaslInitialResponse::read(&payload));
    }
}

#[test]
fn a_nul_ends_a_text_it_would_smuggle_fields_through() {
    let (_, payload) = written(|out| write::parse(out, "a\0b", "select 1\0\0\x01", &[0, 0]));
    let parse = Parse { name: b"a", query: b"select 1", types: &[0, 0] };
    assert_eq!(Parse::read(&payload), Ok(parse));
}

#[test]
fn what_servers_refuse_is_refused() {
    assert_eq!(query_text(b"select 1"), Err(Malformed::Unterminated));
    assert_eq!(query_text(b"select 1\0;\0"), Err(Malformed::LeftOver));
    assert_eq!(Parse::read(b"a\0b\0\0\x01\0\0\0"), Err(Malformed::Truncated));
    assert_eq!(Parse::read(b"a\0b\0\0\0\0"), Err(Malformed::LeftOver));
    assert_eq!(Target::read(b"Xa\0"), Err(Malformed::Value(b'X'.into())));
    assert_eq!(Execute::read(b"a\0\0\0\0"), Err(Malformed::Truncated));
    assert_eq!(SaslInitialResponse::read(b"a\0\0\0\0\x05abcd"), Err(Malformed::Truncated));
    assert_eq!(SaslInitialResponse::read(b"a\0\xff\xff\xff\xfe"), Err(Malformed::Value(0xffff_fffe)));
    assert_eq!(SaslInitialResponse::read(b"\xff\0\xff\xff\xff\xff"), Err(Malformed::Encoding));
}

#[test]
fn messages_without_a_payload_are_five_bytes() {
    let mut out = Vec::new();
    write::sync(&mut out);
    write::flush(&mut out);
    write::terminate(&mut out);
    assert_eq!(out, b"S\0\0\0\x04H\0\0\0\x04X\0\0\0\x04");
    assert_eq!(written(|out| write::copy_fail(out, "enough")), (COPY_FAIL, b"enough\0".to_vec()));
    assert_eq!(written(|out| write::sasl_response(out, "c=biws")), (PASSWORD, b"c=biws".to_vec()));
}
