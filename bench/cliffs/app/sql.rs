//! Simple queries to PostgreSQL, from a user who is trusted.

use std::io::{BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::Result;

/// Protocol 3.0.
const VERSION: i32 = 3 << 16;
const LONGEST_MESSAGE: usize = 1 << 20;
const PATIENCE: Duration = Duration::from_secs(30);

const AUTHENTICATION: u8 = b'R';
const ERROR: u8 = b'E';
const READY: u8 = b'Z';

/// A connection between two queries.
pub struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    pub fn connect(server: SocketAddr, user: &str, database: &str) -> Result<Self> {
        let stream = TcpStream::connect(server)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut body = VERSION.to_be_bytes().to_vec();
        for text in ["user", user, "database", database, ""] {
            body.extend_from_slice(text.as_bytes());
            body.push(0);
        }
        let mut client = Self { stream: BufReader::new(stream) };
        client.send(&[], &body)?;
        client.until_ready()?;
        Ok(client)
    }

    /// The error that the server answered with, if it did.
    pub fn run(&mut self, query: &str) -> Result<()> {
        self.send(b"Q", &[query.as_bytes(), &[0]].concat())?;
        self.until_ready()
    }

    fn send(&mut self, kind: &[u8], body: &[u8]) -> Result<()> {
        let length = i32::try_from(body.len() + 4)?.to_be_bytes();
        Ok(self.stream.get_mut().write_all(&[kind, &length, body].concat())?)
    }

    fn until_ready(&mut self) -> Result<()> {
        let mut error = None;
        loop {
            match self.receive()? {
                (READY, _) => return error.map_or(Ok(()), Err),
                (AUTHENTICATION, body) if body != [0; 4] => return Err("the server wants a password".into()),
                (ERROR, body) => {
                    let text = String::from_utf8_lossy(&body).replace('\0', " ");
                    error = Some(format!("PostgreSQL: {text}").into());
                }
                _ => {}
            }
        }
    }

    fn receive(&mut self) -> Result<(u8, Vec<u8>)> {
        let mut head = [0; 5];
        self.stream.read_exact(&mut head)?;
        let [kind, length @ ..] = head;
        let length = usize::try_from(i32::from_be_bytes(length))?;
        if !(4..=LONGEST_MESSAGE).contains(&length) {
            return Err(format!("a message of {length} bytes").into());
        }
        let mut body = vec![0; length - 4];
        self.stream.read_exact(&mut body)?;
        Ok((kind, body))
    }
}
