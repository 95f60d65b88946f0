//! Asking the server what is stored of a user's password (`auth.query`).

use std::rc::Rc;
use std::sync::Arc;

use deepwater_pgwire::auth::StoredPassword;
use deepwater_pgwire::message::backend::{self, DataRow, ErrorFields, ParameterStatus, Status};
use deepwater_pgwire::message::frontend::{Kind, write};
use tokio::io::AsyncWriteExt;

use super::lease::Lease;
use crate::plan::{DatabasePlan, Plan};
use crate::server::Server;
use crate::settings::Settings;
use crate::talk::Inbox;
use crate::worker::Worker;

/// Longest message of the answer: it holds a name and a password.
const MAX_MESSAGE_BYTES: usize = 64 * 1024;
/// Most messages of the answer.
const MAX_MESSAGES: usize = 1_000;

/// What the server says of a user's password; none when nobody is to be asked, or when the user has none.
pub(super) async fn ask(
    worker: &Rc<Worker>,
    plan: &Plan,
    database: &Arc<DatabasePlan>,
    user: &str,
) -> Result<Option<StoredPassword>, String> {
    let (auth, own) = (&plan.config.auth, &database.config);
    let Some(asker) = own.auth_user.as_ref().or(auth.query_user.as_ref()) else { return Ok(None) };
    let query = own.auth_query.as_ref().unwrap_or(&auth.query);
    let asked_in = match own.auth_database.as_ref().or(auth.query_database.as_ref()) {
        Some(name) => {
            plan.database(name).ok_or_else(|| format!("there is no database \"{name}\" to ask in"))?
        }
        None => Arc::clone(database),
    };
    let pool = worker.shared.pool_as(&asked_in, asker.as_str().into());
    let taken = Lease::take(worker, &pool).await;
    let mut lease = taken.map_err(|refusal| refusal.words(&pool.key, plan.face).1.to_string())?;
    let answer = Box::pin(exchange(&mut lease, query, user)).await?;
    lease.give_back();
    answer.map(|text| StoredPassword::parse(&text).map_err(|error| error.to_string())).transpose()
}

/// Runs the query. Whatever a client before has set on the connection is taken back first: its `search_path` must not
/// decide whose `pg_authid` is read (CVE-2025-12819), and the user's name is a parameter, never part of a text.
async fn exchange(server: &mut Server, query: &str, user: &str) -> Result<Option<String>, String> {
    let mut out = Vec::new();
    let nothing = Settings::default();
    let mut inbox = Inbox::default();
    let taken_back = server.applied.change_to(&nothing).map(|change| change.statement());
    if let Some(statement) = taken_back {
        // Nothing is asked before that is sure: a server may keep what it was told to put back.
        write::query(&mut out, statement);
        send(server, &mut out).await?;
        answer(server, &mut inbox).await?;
        server.applied = nothing;
    }
    write::parse(&mut out, "", query, &[0, 0]);
    // No format for parameters, one parameter, no format for results: all is text.
    let mut values = vec![0, 0, 0, 1];
    values.extend_from_slice(&u32::try_from(user.len()).unwrap_or_default().to_be_bytes());
    values.extend_from_slice(user.as_bytes());
    values.extend_from_slice(&[0, 0]);
    write::bind_head(&mut out, "", "", values.len());
    out.extend_from_slice(&values);
    write::describe(&mut out, Kind::Portal, "");
    write::execute(&mut out, "", 1);
    write::sync(&mut out);
    send(server, &mut out).await?;

    let row = answer(server, &mut inbox).await?;
    if !inbox.is_empty() {
        return Err("the server said more than it was asked".into());
    }
    match row {
        None => Ok(None),
        Some(row) => password(&row),
    }
}

async fn send(server: &mut Server, out: &mut Vec<u8>) -> Result<(), String> {
    let sent = async {
        server.stream.write_all(out).await?;
        server.stream.flush().await
    };
    sent.await.map_err(|error| error.to_string())?;
    out.clear();
    Ok(())
}

/// The first row of an answer, once all of it has come.
async fn answer(server: &mut Server, inbox: &mut Inbox) -> Result<Option<Vec<u8>>, String> {
    let (mut row, mut failure) = (None, None);
    for _ in 0..MAX_MESSAGES {
        let message =
            inbox.message(&mut server.stream, MAX_MESSAGE_BYTES).await.map_err(|error| error.to_string())?;
        let payload = &message.payload;
        match message.tag {
            backend::DATA_ROW => {
                row.get_or_insert(message.payload);
            }
            backend::ERROR_RESPONSE => {
                failure = Some(format!("auth.query failed: {}", ErrorFields::new(payload).message()));
            }
            backend::READY_FOR_QUERY => {
                return match (failure, Status::read(payload)) {
                    (Some(failure), _) => Err(failure),
                    (None, Ok(Status::Idle)) => Ok(row),
                    (None, _) => Err("auth.query leaves a transaction open".into()),
                };
            }
            backend::PARAMETER_STATUS => {
                let status = ParameterStatus::read(payload).map_err(|error| error.to_string())?;
                let (name, value) =
                    (String::from_utf8_lossy(status.name), String::from_utf8_lossy(status.value));
                Arc::make_mut(&mut server.parameters).set(&name, &value);
            }
            backend::PARSE_COMPLETE
            | backend::BIND_COMPLETE
            | backend::ROW_DESCRIPTION
            | backend::NO_DATA
            | backend::COMMAND_COMPLETE
            | backend::PORTAL_SUSPENDED
            | backend::EMPTY_QUERY_RESPONSE
            | backend::NOTICE_RESPONSE => {}
            other => {
                return Err(format!(
                    "unexpected message '{}' from auth.query",
                    char::from(other).escape_default()
                ));
            }
        }
    }
    Err("auth.query does not come to an end".into())
}

/// The password in a row of a name and a password; NULL is none.
fn password(row: &[u8]) -> Result<Option<String>, String> {
    let row: Vec<_> = DataRow::read(row).map_err(|error| error.to_string())?.collect();
    let [Some(_), password] = row.as_slice() else {
        return Err(format!("auth.query must give a name and a password, and gave {} columns", row.len()));
    };
    let text = password.map(|password| String::from_utf8(password.to_vec())).transpose();
    let text = text.map_err(|_| "the password that auth.query gave is not UTF-8".to_owned())?;
    // Empty is what nobody can have stored.
    Ok(text.filter(|text| !text.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(values: &[Option<&[u8]>]) -> Vec<u8> {
        let mut out = Vec::new();
        backend::write::data_row(&mut out, values);
        out.split_off(deepwater_pgwire::message::HEADER_BYTES)
    }

    #[test]
    fn a_row_is_a_name_and_a_password() {
        assert_eq!(password(&row(&[Some(b"app"), Some(b"md5x")])), Ok(Some("md5x".into())));
        assert_eq!(password(&row(&[Some(b"app"), None])), Ok(None), "expired, or none at all");
        assert_eq!(password(&row(&[Some(b"app"), Some(b"")])), Ok(None));
        assert!(password(&row(&[Some(b"app")])).is_err());
        assert!(password(&row(&[None, Some(b"x")])).is_err());
        assert!(password(&row(&[Some(b"app"), Some(b"\xff")])).is_err());
        assert!(password(b"\0\x02").is_err());
    }
}
