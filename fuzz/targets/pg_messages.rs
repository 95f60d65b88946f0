//! No message of either side brings a reader down; what is read can be written again and reads the same.
#![no_main]

use deepwater_pgwire::message::backend::{self, Authentication, DataRow, ErrorFields};
use deepwater_pgwire::message::frontend::{self, BindNames};
use deepwater_pgwire::message::{HEADER_BYTES, header};
use libfuzzer_sys::fuzz_target;

/// Writes a message again: its bytes must be those it was read from.
fn same(payload: &[u8], write: impl FnOnce(&mut Vec<u8>)) {
    let mut again = Vec::new();
    write(&mut again);
    let header = header(&again).expect("its length is right").expect("it has a header");
    assert_eq!(header.total(), again.len());
    assert_eq!(&again[HEADER_BYTES..], payload);
}

fn from_client(tag: u8, payload: &[u8]) {
    use frontend::write;
    match tag {
        frontend::QUERY => {
            let Ok(text) = frontend::query_text(payload) else { return };
            same(payload, |out| write::query(out, text));
        }
        frontend::PARSE => {
            let Ok(parse) = frontend::Parse::read(payload) else { return };
            same(payload, |out| write::parse(out, parse.name, parse.query, parse.types));
        }
        frontend::BIND => {
            let Ok(names) = BindNames::read(payload) else { return };
            assert_eq!(BindNames::read_prefix(&payload[..names.rest]), Some(names));
            assert_eq!(BindNames::read_prefix(&payload[..names.rest - 1]), None);
            let rest = &payload[names.rest..];
            same(payload, |out| {
                write::bind_head(out, names.portal, names.statement, rest.len());
                out.extend_from_slice(rest);
            });
        }
        frontend::DESCRIBE | frontend::CLOSE => {
            let Ok(target) = frontend::Target::read(payload) else { return };
            same(payload, |out| write::close(out, target.kind, target.name));
        }
        frontend::EXECUTE => {
            let Ok(execute) = frontend::Execute::read(payload) else { return };
            same(payload, |out| write::execute(out, execute.portal, execute.max_rows));
        }
        frontend::PASSWORD => {
            if let Ok(password) = frontend::password(payload) {
                same(payload, |out| write::password(out, password));
            }
            let Ok(initial) = frontend::SaslInitialResponse::read(payload) else { return };
            let Some(response) = initial.response else { return };
            same(payload, |out| write::sasl_initial_response(out, initial.mechanism, response));
        }
        _ => {}
    }
}

fn from_server(tag: u8, payload: &[u8]) {
    use backend::write;
    match tag {
        backend::READY_FOR_QUERY => {
            let Ok(status) = backend::Status::read(payload) else { return };
            same(payload, |out| write::ready_for_query(out, status));
        }
        backend::COMMAND_COMPLETE => {
            let Ok(tag) = backend::command_tag(payload) else { return };
            same(payload, |out| write::command_complete(out, tag));
        }
        backend::PARAMETER_STATUS => {
            let Ok(status) = backend::ParameterStatus::read(payload) else { return };
            same(payload, |out| write::parameter_status(out, status.name, status.value));
        }
        backend::BACKEND_KEY_DATA => {
            let Ok(data) = backend::BackendKeyData::read(payload) else { return };
            same(payload, |out| write::backend_key_data(out, data.pid, data.key));
        }
        backend::NOTIFICATION_RESPONSE => {
            let Ok(told) = backend::Notification::read(payload) else { return };
            same(payload, |out| write::notification_response(out, told.pid, told.channel, told.payload));
        }
        backend::DATA_ROW => {
            let Ok(row) = DataRow::read(payload) else { return };
            let count = row.len();
            let values: Vec<_> = row.collect();
            assert_eq!(values.len(), count);
            same(payload, |out| write::data_row(out, &values));
        }
        backend::AUTHENTICATION => match Authentication::read(payload) {
            Ok(Authentication::Sasl { mechanisms }) => {
                same(payload, |out| write::authentication_sasl(out, &mechanisms));
            }
            Ok(Authentication::SaslContinue(data)) => {
                same(payload, |out| write::authentication_sasl_continue(out, data));
            }
            _ => {}
        },
        backend::NEGOTIATE_PROTOCOL_VERSION => {
            let _ = backend::NegotiateProtocolVersion::read(payload);
        }
        backend::ERROR_RESPONSE | backend::NOTICE_RESPONSE => {
            let fields = ErrorFields::new(payload);
            assert!(fields.code().is_none_or(|code| code.len() == 5));
            let _ = (fields.message(), fields.severity(), fields.is_fatal());
            assert!(fields.iter().all(|(letter, text)| letter != 0 && !text.contains(&0)));
        }
        _ => {}
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut rest = bytes;
    while let Ok(Some(header)) = header(rest) {
        let Some(payload) = rest.get(HEADER_BYTES..header.total()) else {
            // The front of a message that is still to come.
            let _ = BindNames::read_prefix(&rest[HEADER_BYTES..]);
            return;
        };
        from_client(header.tag, payload);
        from_server(header.tag, payload);
        rest = &rest[header.total()..];
    }
});
