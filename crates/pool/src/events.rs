//! What happens in the pool that is worth telling.

use deepwater_core::event;

event! {
    /// A connection to a server could not be opened.
    pub struct ServerConnectFailed { database: String, user: String, reason: String }
    server_connect_failed: Warn, "no connection to the server of database {database} as user {user}: {reason}"
}

event! {
    /// A client was not let in.
    pub struct ClientLoginFailed { remote: String, database: String, user: String, reason: String }
    client_login_failed: Warn, "client {remote} was not let in to database {database} as user {user}: {reason}"
}

event! {
    /// A client logged in.
    pub struct ClientLoggedIn { remote: String, database: String, user: String, tls: String }
    client_logged_in: Info, "client {remote} logged in to database {database} as user {user}, tls={tls}"
}

event! {
    /// A cancel request named no client.
    pub struct CancelUnmatched { remote: String }
    cancel_unmatched: Warn, "a cancel request from {remote} named no client, or not its secret"
}

event! {
    /// A cancel request did not reach the server.
    pub struct CancelFailed { client: String, reason: String }
    cancel_failed: Warn, "a cancel request of client {client} did not reach its server: {reason}"
}

event! {
    /// The pool accepts connections.
    pub struct PoolStarted { address: String }
    pool_started: Info, "listening on {address} (postgres)"
}

event! {
    /// The system refused another connection.
    pub struct AcceptFailed { reason: String }
    pool_accept_failed: Warn, "a client of the pool cannot be accepted: {reason}"
}

event! {
    /// A client's connection has ended.
    pub struct ClientDisconnected { client: String, database: String, user: String, reason: String }
    client_disconnected: Info, "client {client} of database {database}, user {user}, has gone: {reason}"
}

event! {
    /// The connection that listens for a pool's clients was lost; they are disconnected.
    pub struct ListenerLost { database: String, user: String, reason: String, clients: usize }
    listener_lost: Warn, "{clients} listening clients of database {database} as user {user} are disconnected: {reason}"
}
