//! What a server says to a question, read with suspicion.

use deepwater_core::ask::{AskError, MAX_BYTES, MAX_ROWS, Rows};
use deepwater_pgwire::message::backend::{self, DataRow, ErrorFields, Status};
use deepwater_pgwire::message::{HEADER_BYTES, Malformed};

use crate::talk::{Message, TalkError};

/// Most letters of a server's message that are kept.
const MAX_MESSAGE_CHARS: usize = 1_000;

/// An answer as far as it has come.
#[derive(Default)]
pub(super) struct Answer {
    rows: Rows,
    /// Of all messages; what is not kept costs time, too.
    bytes: usize,
    error: Option<AskError>,
}

impl Answer {
    /// How long the next message may be, without its header.
    pub(super) fn room(&self) -> usize {
        MAX_BYTES.saturating_sub(self.bytes)
    }

    /// Takes a message; the transaction's status when it was the last.
    pub(super) fn take(&mut self, message: &Message) -> Result<Option<Status>, AskError> {
        self.bytes += HEADER_BYTES + message.payload.len();
        match message.tag {
            backend::READY_FOR_QUERY => {
                return Status::read(&message.payload).map(Some).map_err(malformed);
            }
            // The rows of the last statement that gives any are asked for.
            backend::ROW_DESCRIPTION => self.rows.clear(),
            backend::DATA_ROW => self.row(&message.payload)?,
            backend::ERROR_RESPONSE => self.error = Some(refusal(&message.payload)),
            backend::COMMAND_COMPLETE
            | backend::EMPTY_QUERY_RESPONSE
            | backend::NOTICE_RESPONSE
            | backend::NOTIFICATION_RESPONSE
            | backend::PARAMETER_STATUS => {}
            other => {
                let tag = char::from(other).escape_default();
                return Err(broken(format!("the server sent a message '{tag}' out of turn")));
            }
        }
        Ok(None)
    }

    fn row(&mut self, payload: &[u8]) -> Result<(), AskError> {
        if self.rows.len() == MAX_ROWS {
            return Err(AskError::TooLarge);
        }
        let text = |value: Option<&[u8]>| value.map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        self.rows.push(DataRow::read(payload).map_err(malformed)?.map(text).collect());
        Ok(())
    }

    /// What it comes to once all of it is there.
    pub(super) fn end(self) -> Result<Rows, AskError> {
        self.error.map_or(Ok(self.rows), Err)
    }

    /// What it comes to when nothing more can be read. A server that ends a session says why before.
    pub(super) fn cut(self, error: TalkError) -> AskError {
        match (error, self.error) {
            (TalkError::TooLong(_), _) => AskError::TooLarge,
            (_, Some(AskError::Refused { code, message })) => {
                AskError::NotConnected { code, reason: message }
            }
            (error, _) => lost(&error),
        }
    }
}

/// The connection is of no use any more.
pub(super) fn lost(error: &TalkError) -> AskError {
    broken(format!("the connection was lost: {error}"))
}

fn malformed(error: Malformed) -> AskError {
    broken(format!("the server does not speak the protocol: {error}"))
}

fn broken(reason: String) -> AskError {
    AskError::NotConnected { code: "08006".into(), reason }
}

fn refusal(payload: &[u8]) -> AskError {
    let fields = ErrorFields::new(payload);
    let message = match fields.message().trim() {
        "" => "it does not say why".to_owned(),
        said => said.chars().take(MAX_MESSAGE_CHARS).collect(),
    };
    AskError::Refused { code: fields.code().unwrap_or_default().to_owned(), message }
}

#[cfg(test)]
mod tests {
    use deepwater_pgwire::message::backend::write;

    use super::*;

    fn data_row(values: &[Option<&[u8]>]) -> Message {
        let mut out = Vec::new();
        write::data_row(&mut out, values);
        Message { tag: backend::DATA_ROW, payload: out.split_off(HEADER_BYTES) }
    }

    fn message(tag: u8, payload: &[u8]) -> Message {
        Message { tag, payload: payload.to_vec() }
    }

    #[test]
    fn rows_are_those_of_the_last_result() {
        let mut answer = Answer::default();
        for value in [b"1", b"2"] {
            answer.take(&message(backend::ROW_DESCRIPTION, b"\0\0")).unwrap();
            answer.take(&data_row(&[Some(value), None, Some(b"\xff")])).unwrap();
        }
        answer.take(&message(backend::COMMAND_COMPLETE, b"COMMIT\0")).unwrap();
        let end = answer.take(&message(backend::READY_FOR_QUERY, b"I")).unwrap();
        assert_eq!(end, Some(Status::Idle));
        let expected = vec![vec![Some("2".to_owned()), None, Some("\u{fffd}".to_owned())]];
        assert_eq!(answer.end(), Ok(expected));
    }

    #[test]
    fn an_answer_has_an_end() {
        let row = data_row(&[]);
        let mut answer = Answer::default();
        for _ in 0..MAX_ROWS {
            answer.take(&row).unwrap();
        }
        assert_eq!(answer.take(&row), Err(AskError::TooLarge));

        // Messages that give nothing use it up as well.
        let mut answer = Answer::default();
        while answer.room() > 0 {
            answer.take(&message(backend::EMPTY_QUERY_RESPONSE, b"")).unwrap();
        }
        assert_eq!(answer.cut(TalkError::TooLong(1)), AskError::TooLarge);
    }

    #[test]
    fn what_is_no_answer_is_an_error() {
        for (tag, payload) in [
            (backend::DATA_ROW, &b"\0\x02\0\0\0\x09"[..]),
            (backend::READY_FOR_QUERY, b"?"),
            (backend::COPY_IN_RESPONSE, b"\0\0\0"),
            (backend::AUTHENTICATION, b"\0\0\0\0"),
        ] {
            let error = Answer::default().take(&message(tag, payload)).unwrap_err();
            assert_eq!(error.kind(), "not_connected", "{error}");
        }
    }

    #[test]
    fn a_session_that_is_ended_says_why() {
        let mut answer = Answer::default();
        answer.take(&message(backend::ERROR_RESPONSE, b"SFATAL\0C57P01\0Mterminating\0\0")).unwrap();
        let expected = AskError::NotConnected { code: "57P01".into(), reason: "terminating".into() };
        assert_eq!(answer.cut(TalkError::Closed), expected);
    }

    #[test]
    fn a_refusal_may_say_nothing_or_too_much() {
        let refused = |payload: &[u8]| {
            let mut answer = Answer::default();
            answer.take(&message(backend::ERROR_RESPONSE, payload)).unwrap();
            answer.end().unwrap_err()
        };
        assert_eq!(
            refused(b""),
            AskError::Refused { code: String::new(), message: "it does not say why".into() }
        );
        let long = [b"M", "ä".repeat(5_000).as_bytes(), b"\0\0"].concat();
        let AskError::Refused { message, .. } = refused(&long) else { panic!("a refusal") };
        assert_eq!(message.chars().count(), MAX_MESSAGE_CHARS);
    }
}
