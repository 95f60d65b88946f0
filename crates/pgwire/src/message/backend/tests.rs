use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;

use super::write::{Column, Report, Severity};
use super::*;
use crate::message::tests::written;

fn text() -> impl Strategy<Value = String> {
    "[^\0]{0,20}"
}

proptest! {
    #[test]
    fn what_is_written_is_read(a in text(), b in text(), pid: u32, key in vec(any::<u8>(), 4..=256)) {
        let (tag, payload) = written(|out| write::parameter_status(out, &a, &b));
        let status = ParameterStatus { name: a.as_bytes(), value: b.as_bytes() };
        prop_assert_eq!((tag, ParameterStatus::read(&payload)), (PARAMETER_STATUS, Ok(status)));

        let (tag, payload) = written(|out| write::backend_key_data(out, pid, &key));
        prop_assert_eq!(tag, BACKEND_KEY_DATA);
        prop_assert_eq!(BackendKeyData::read(&payload), Ok(BackendKeyData { pid, key: &key }));

        let (tag, payload) = written(|out| write::notification_response(out, pid, &a, &b));
        let notification = Notification { pid, channel: a.as_bytes(), payload: b.as_bytes() };
        prop_assert_eq!((tag, Notification::read(&payload)), (NOTIFICATION_RESPONSE, Ok(notification)));

        let (tag, payload) = written(|out| write::command_complete(out, &a));
        prop_assert_eq!((tag, command_tag(&payload)), (COMMAND_COMPLETE, Ok(a.as_bytes())));

        let (tag, payload) = written(|out| write::negotiate_protocol_version(out, 2, &["_pq_.a", &b]));
        let negotiated = NegotiateProtocolVersion { newest_minor: 2, unrecognised: vec!["_pq_.a", &b] };
        prop_assert_eq!((tag, NegotiateProtocolVersion::read(&payload)), (NEGOTIATE_PROTOCOL_VERSION, Ok(negotiated)));
    }

    #[test]
    fn steps_of_authentication_are_read(salt: [u8; 4], data in vec(any::<u8>(), 0..40)) {
        let step = |write: &dyn Fn(&mut Vec<u8>), expected: Authentication<'_>| {
            let (tag, payload) = written(write);
            assert_eq!((tag, Authentication::read(&payload)), (AUTHENTICATION, Ok(expected)));
        };
        step(&write::authentication_ok, Authentication::Ok);
        step(&write::authentication_cleartext_password, Authentication::CleartextPassword);
        step(&|out| write::authentication_md5(out, salt), Authentication::Md5 { salt });
        let mechanisms = vec!["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"];
        step(&|out| write::authentication_sasl(out, &mechanisms), Authentication::Sasl { mechanisms: mechanisms.clone() });
        step(&|out| write::authentication_sasl_continue(out, &data), Authentication::SaslContinue(&data));
        step(&|out| write::authentication_sasl_final(out, &data), Authentication::SaslFinal(&data));
    }

    #[test]
    fn the_values_of_a_row_are_read(values in vec(of(vec(any::<u8>(), 0..20)), 0..9)) {
        let values: Vec<_> = values.iter().map(Option::as_deref).collect();
        let (tag, payload) = written(|out| write::data_row(out, &values));
        prop_assert_eq!(tag, DATA_ROW);
        let row = DataRow::read(&payload).unwrap();
        prop_assert_eq!(row.len(), values.len());
        prop_assert_eq!(row.collect::<Vec<_>>(), values);
        for n in 0..payload.len() {
            prop_assert!(DataRow::read(&payload[..n]).is_err());
        }
    }

    #[test]
    fn the_fields_of_an_error_are_read(message in text(), detail in of(text()), hint in of(text())) {
        let report = Report {
            severity: Severity::Fatal,
            code: "53300",
            message: &message,
            detail: detail.as_deref(),
            hint: hint.as_deref(),
        };
        let (tag, payload) = written(|out| write::error_response(out, &report));
        prop_assert_eq!(tag, ERROR_RESPONSE);
        let fields = ErrorFields::new(&payload);
        prop_assert_eq!(fields.code(), Some("53300"));
        prop_assert_eq!(fields.message(), &message[..]);
        prop_assert!(fields.is_fatal());
        prop_assert_eq!(fields.get(field::DETAIL), detail.as_ref().map(String::as_bytes));
        prop_assert_eq!(fields.get(field::HINT), hint.as_ref().map(String::as_bytes));
        // What broke off has the fields before that.
        for n in 0..payload.len() {
            let all: Vec<_> = fields.iter().collect();
            prop_assert!(all.starts_with(&ErrorFields::new(&payload[..n]).iter().collect::<Vec<_>>()));
        }
    }

    #[test]
    fn no_payload_brings_a_reader_down(payload in vec(prop_oneof![Just(0), Just(3), any::<u8>()], 0..40)) {
        let _ = (Status::read(&payload), command_tag(&payload), ParameterStatus::read(&payload));
        let _ = (BackendKeyData::read(&payload), Notification::read(&payload), Authentication::read(&payload));
        let _ = NegotiateProtocolVersion::read(&payload);
        let _ = DataRow::read(&payload).map(Iterator::count);
        let fields = ErrorFields::new(&payload);
        let _ = (fields.code(), fields.message(), fields.severity(), fields.iter().count());
    }
}

#[test]
fn a_status_is_one_known_letter() {
    for status in [Status::Idle, Status::InTransaction, Status::Failed] {
        let (tag, payload) = written(|out| write::ready_for_query(out, status));
        assert_eq!((tag, Status::read(&payload)), (READY_FOR_QUERY, Ok(status)));
    }
    assert_eq!(Status::read(b""), Err(Malformed::Truncated));
    assert_eq!(Status::read(b"X"), Err(Malformed::Value(b'X'.into())));
    assert_eq!(Status::read(b"II"), Err(Malformed::LeftOver));
}

#[test]
fn an_error_may_lack_everything() {
    let fields = ErrorFields::new(b"");
    assert_eq!((fields.code(), &*fields.message(), &*fields.severity()), (None, "", ""));
    assert!(!fields.is_fatal());
    // As PgBouncer reported a refused login once: no SQLSTATE, no English severity.
    let fields = ErrorFields::new(b"SFATAL\0Mno such user\0\0");
    assert_eq!((fields.code(), &*fields.message()), (None, "no such user"));
    assert!(fields.is_fatal());
    // A translated severity does not hide the English one; what is no SQLSTATE is none.
    let fields = ErrorFields::new(b"SFATALE\0VFATAL\0C\xff\xff\0M\xffm\0\0");
    assert!(fields.is_fatal());
    assert_eq!((fields.code(), &*fields.message()), (None, "\u{fffd}m"));
}

#[test]
fn keys_of_other_lengths_are_refused() {
    assert_eq!(BackendKeyData::read(&[0; 7]), Err(Malformed::Truncated));
    assert_eq!(BackendKeyData::read(&[0; 4 + 257]), Err(Malformed::LeftOver));
    assert!(BackendKeyData::read(&[0; 4 + 256]).is_ok());
    assert!(!format!("{:?}", BackendKeyData { pid: 1, key: b"\x63\x63\x63\x63" }).contains("99"));
}

#[test]
fn both_ways_to_tell_a_minor_version_are_read() {
    let minor = |version: u32| {
        let payload = [version.to_be_bytes(), [0; 4]].concat();
        NegotiateProtocolVersion::read(&payload).map(|negotiated| negotiated.newest_minor)
    };
    // The first is what PostgreSQL 15 sends, the second what its documentation says.
    assert_eq!((minor(3 << 16), minor(0), minor(2)), (Ok(0), Ok(0), Ok(2)));
    assert_eq!(minor(2 << 16), Err(Malformed::Value(2 << 16)));
    // A count that the payload does not hold.
    assert_eq!(NegotiateProtocolVersion::read(b"\0\x03\0\0\xff\xff\xff\xff"), Err(Malformed::Unterminated));
}

#[test]
fn columns_are_described_as_text() {
    let columns = [Column::text("name"), Column::int8("bytes")];
    let (tag, payload) = written(|out| write::row_description(out, &columns));
    assert_eq!(tag, ROW_DESCRIPTION);
    let expected: [&[u8]; 5] = [
        b"\0\x02",
        b"name\0\0\0\0\0\0\0",
        b"\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0",
        b"bytes\0\0\0\0\0\0\0",
        b"\0\0\0\x14\0\x08\xff\xff\xff\xff\0\0",
    ];
    assert_eq!(payload, expected.concat());
}

#[test]
fn completions_are_their_tags() {
    let mut out = Vec::new();
    write::parse_complete(&mut out);
    write::bind_complete(&mut out);
    write::close_complete(&mut out);
    write::no_data(&mut out);
    write::empty_query_response(&mut out);
    assert_eq!(out, b"1\0\0\0\x042\0\0\0\x043\0\0\0\x04n\0\0\0\x04I\0\0\0\x04");
    let notice = Report::new(Severity::Notice, "00000", "waiting");
    let (tag, payload) = written(|out| write::notice_response(out, &notice));
    assert_eq!((tag, &payload[..]), (NOTICE_RESPONSE, &b"SNOTICE\0VNOTICE\0C00000\0Mwaiting\0\0"[..]));
}
