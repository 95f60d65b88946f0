//! Appending what servers send. Names and texts end at a NUL, should they hold one.

use super::super::write::{count, message, raw, string};
use super::authentication::code;
use super::{Status, field};

fn authentication(out: &mut Vec<u8>, code: u32, data: &[u8]) {
    message(out, super::AUTHENTICATION, |out| {
        out.extend_from_slice(&code.to_be_bytes());
        out.extend_from_slice(data);
    });
}

/// The client is who it says.
pub fn authentication_ok(out: &mut Vec<u8>) {
    authentication(out, code::OK, &[]);
}

/// Asks for the password as it is.
pub fn authentication_cleartext_password(out: &mut Vec<u8>) {
    authentication(out, code::CLEARTEXT_PASSWORD, &[]);
}

/// Asks for the password hashed.
pub fn authentication_md5(out: &mut Vec<u8>, salt: [u8; 4]) {
    authentication(out, code::MD5, &salt);
}

/// Offers mechanisms of SASL.
pub fn authentication_sasl(out: &mut Vec<u8>, mechanisms: &[&str]) {
    message(out, super::AUTHENTICATION, |out| {
        out.extend_from_slice(&code::SASL.to_be_bytes());
        for mechanism in mechanisms {
            string(out, mechanism);
        }
        out.push(0);
    });
}

/// A challenge of SASL.
pub fn authentication_sasl_continue(out: &mut Vec<u8>, data: impl AsRef<[u8]>) {
    authentication(out, code::SASL_CONTINUE, data.as_ref());
}

/// The last word of SASL.
pub fn authentication_sasl_final(out: &mut Vec<u8>, data: impl AsRef<[u8]>) {
    authentication(out, code::SASL_FINAL, data.as_ref());
}

/// The version spoken and the protocol options not known.
pub fn negotiate_protocol_version(out: &mut Vec<u8>, newest_minor: u16, unrecognised: &[&str]) {
    message(out, super::NEGOTIATE_PROTOCOL_VERSION, |out| {
        out.extend_from_slice(&crate::startup::version_3(newest_minor).to_be_bytes());
        // A startup packet, from which they come, holds far fewer than 4 billion.
        out.extend_from_slice(&u32::try_from(unrecognised.len()).unwrap_or(u32::MAX).to_be_bytes());
        for option in unrecognised {
            string(out, option);
        }
    });
}

/// The value of a setting.
pub fn parameter_status(out: &mut Vec<u8>, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
    message(out, super::PARAMETER_STATUS, |out| {
        string(out, name);
        string(out, value);
    });
}

/// What a cancel request must know; a key of 4 bytes below protocol 3.2, of at most 256 in it.
pub fn backend_key_data(out: &mut Vec<u8>, pid: u32, key: &[u8]) {
    message(out, super::BACKEND_KEY_DATA, |out| {
        out.extend_from_slice(&pid.to_be_bytes());
        out.extend_from_slice(key);
    });
}

/// Ready for the next query.
pub fn ready_for_query(out: &mut Vec<u8>, status: Status) {
    raw(out, super::READY_FOR_QUERY, &[status.byte()]);
}

/// A command is done.
pub fn command_complete(out: &mut Vec<u8>, tag: impl AsRef<[u8]>) {
    message(out, super::COMMAND_COMPLETE, |out| string(out, tag));
}

/// A Parse succeeded.
pub fn parse_complete(out: &mut Vec<u8>) {
    raw(out, super::PARSE_COMPLETE, &[]);
}

/// A Bind succeeded.
pub fn bind_complete(out: &mut Vec<u8>) {
    raw(out, super::BIND_COMPLETE, &[]);
}

/// A Close succeeded.
pub fn close_complete(out: &mut Vec<u8>) {
    raw(out, super::CLOSE_COMPLETE, &[]);
}

/// What was described gives no rows.
pub fn no_data(out: &mut Vec<u8>) {
    raw(out, super::NO_DATA, &[]);
}

/// The query was empty.
pub fn empty_query_response(out: &mut Vec<u8>) {
    raw(out, super::EMPTY_QUERY_RESPONSE, &[]);
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The command failed.
    Error,
    /// The connection ends.
    Fatal,
    /// Something the client should hear of.
    Notice,
    /// Something the client should mind.
    Warning,
}

impl Severity {
    /// Its word on the wire.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Error => "ERROR",
            Self::Fatal => "FATAL",
            Self::Notice => "NOTICE",
            Self::Warning => "WARNING",
        }
    }
}

/// An error or notice of our own.
#[derive(Debug, Clone, Copy)]
pub struct Report<'a> {
    /// How bad it is.
    pub severity: Severity,
    /// The SQLSTATE.
    pub code: &'a str,
    /// One line on what is wrong.
    pub message: &'a str,
    /// More of it.
    pub detail: Option<&'a str>,
    /// What to do.
    pub hint: Option<&'a str>,
}

impl<'a> Report<'a> {
    /// Without detail and hint.
    #[must_use]
    pub fn new(severity: Severity, code: &'a str, message: &'a str) -> Self {
        Self { severity, code, message, detail: None, hint: None }
    }
}

/// An error.
pub fn error_response(out: &mut Vec<u8>, report: &Report<'_>) {
    fields(out, super::ERROR_RESPONSE, report);
}

/// A notice.
pub fn notice_response(out: &mut Vec<u8>, report: &Report<'_>) {
    fields(out, super::NOTICE_RESPONSE, report);
}

fn fields(out: &mut Vec<u8>, tag: u8, report: &Report<'_>) {
    let fields = [
        (field::SEVERITY, Some(report.severity.word())),
        (field::SEVERITY_ENGLISH, Some(report.severity.word())),
        (field::CODE, Some(report.code)),
        (field::MESSAGE, Some(report.message)),
        (field::DETAIL, report.detail),
        (field::HINT, report.hint),
    ];
    message(out, tag, |out| {
        for (letter, text) in fields {
            let Some(text) = text else { continue };
            out.push(letter);
            string(out, text);
        }
        out.push(0);
    });
}

/// A column of text to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column<'a> {
    /// Its name.
    pub name: &'a str,
    /// The number of its type in `pg_type`.
    pub type_oid: u32,
    /// The size of its type in bytes, −1 when it varies.
    pub type_bytes: i16,
}

impl<'a> Column<'a> {
    /// A column of type `text`.
    #[must_use]
    pub fn text(name: &'a str) -> Self {
        Self { name, type_oid: 25, type_bytes: -1 }
    }

    /// A column of type `integer`.
    #[must_use]
    pub fn int4(name: &'a str) -> Self {
        Self { name, type_oid: 23, type_bytes: 4 }
    }

    /// A column of type `bigint`.
    #[must_use]
    pub fn int8(name: &'a str) -> Self {
        Self { name, type_oid: 20, type_bytes: 8 }
    }

    /// A column of type `bytea`.
    #[must_use]
    pub fn bytea(name: &'a str) -> Self {
        Self { name, type_oid: 17, type_bytes: -1 }
    }

    /// A column of type `numeric`.
    #[must_use]
    pub fn numeric(name: &'a str) -> Self {
        Self { name, type_oid: 1700, type_bytes: -1 }
    }
}

/// The columns of the rows to come, all in text format and of no table.
///
/// # Panics
/// At more than 65,535 columns.
pub fn row_description(out: &mut Vec<u8>, columns: &[Column<'_>]) {
    message(out, super::ROW_DESCRIPTION, |out| {
        count(out, columns.len());
        for column in columns {
            string(out, column.name);
            // Table and column within it: none.
            out.extend_from_slice(&[0; 6]);
            out.extend_from_slice(&column.type_oid.to_be_bytes());
            out.extend_from_slice(&column.type_bytes.to_be_bytes());
            // No type modifier; text.
            out.extend_from_slice(&(-1_i32).to_be_bytes());
            out.extend_from_slice(&[0; 2]);
        }
    });
}

/// A row, none for NULL.
///
/// # Panics
/// At more than 65,535 values, or a value of 2 GiB.
pub fn data_row(out: &mut Vec<u8>, values: &[Option<&[u8]>]) {
    message(out, super::DATA_ROW, |out| {
        count(out, values.len());
        for value in values {
            let length = value.map_or(-1, |value| i32::try_from(value.len()).expect("a value is short"));
            out.extend_from_slice(&length.to_be_bytes());
            out.extend_from_slice(value.unwrap_or_default());
        }
    });
}

/// A notification.
pub fn notification_response(
    out: &mut Vec<u8>,
    pid: u32,
    channel: impl AsRef<[u8]>,
    payload: impl AsRef<[u8]>,
) {
    message(out, super::NOTIFICATION_RESPONSE, |out| {
        out.extend_from_slice(&pid.to_be_bytes());
        string(out, channel);
        string(out, payload);
    });
}
