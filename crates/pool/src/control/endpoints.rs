//! The commands in the console's API.

use deepwater_core::{Call, Endpoint, Reply};
use serde_json::json;

use super::Control;

type Command = fn(&Control, &str) -> Result<(), String>;

const COMMANDS: [(&str, &str, Command); 4] = [
    (
        "/api/postgres/pools/{database}/pause",
        "Hand out no server connection of a database and close them as they become free; clients wait",
        |control, database| control.pause(Some(database)),
    ),
    (
        "/api/postgres/pools/{database}/resume",
        "Serve a database again that was paused or killed",
        |control, database| control.resume(Some(database)),
    ),
    (
        "/api/postgres/pools/{database}/reconnect",
        "Close server connections of a database as they become free, and open new ones",
        |control, database| control.reconnect(Some(database)),
    ),
    (
        "/api/postgres/pools/{database}/kill",
        "Drop all clients and server connections of a database at once, and pause it",
        |control, database| control.kill(Some(database)),
    ),
];

/// One endpoint for each command.
pub(crate) fn endpoints(control: &Control) -> Vec<Endpoint> {
    let endpoint = |(path, about, command): (&'static str, &'static str, Command)| {
        let control = control.clone();
        Endpoint::post(path, about, move |call: Call| {
            let [database] = call.parameters.as_slice() else {
                return Reply::error(400, "the path must name a database");
            };
            match command(&control, database) {
                Ok(()) => Reply::ok(&json!({ "database": database, "paused": control.is_paused(database) })),
                Err(why) if why.starts_with("no such database") => Reply::error(404, &why),
                Err(why) => Reply::error(409, &why),
            }
        })
    };
    COMMANDS.into_iter().map(endpoint).collect()
}
