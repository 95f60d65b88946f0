//! What happens to questions that is worth telling.

use deepwater_core::event;

event! {
    /// The server of a database cannot be asked; not told again until it has answered.
    pub struct ServerNotAsked { database: String, user: String, reason: String }
    server_not_asked: Warn, "the server of database {database} does not tell user {user} how it is: {reason}"
}
