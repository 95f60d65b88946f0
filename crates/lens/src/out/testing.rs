//! A receiver of posts, on loopback.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// Nothing in these tests takes this long unless it hangs.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

pub(super) struct Receiver {
    pub(super) address: SocketAddr,
    heard: mpsc::UnboundedReceiver<Heard>,
}

pub(super) struct Heard {
    pub(super) head: String,
    pub(super) body: Vec<u8>,
}

impl Receiver {
    /// Answers each request with the next of these, and the last for ever. A connection is used once.
    pub(super) async fn answering(answers: &[&str]) -> Self {
        let answers: Vec<Vec<u8>> = answers.iter().map(|answer| answer.as_bytes().to_vec()).collect();
        Self::saying(answers).await
    }

    /// The same with bytes.
    pub(super) async fn saying(answers: Vec<Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, heard) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            for number in 0.. {
                let Ok((mut stream, _)) = listener.accept().await else { return };
                let request = read(&mut stream).await;
                // A client that has waited long enough has left.
                let _ = stream.write_all(&answers[number.min(answers.len() - 1)]).await;
                if sender.send(request).is_err() {
                    return;
                }
            }
        });
        Self { address, heard }
    }

    /// The next request, past or to come.
    pub(super) async fn hears(&mut self) -> Heard {
        let heard = tokio::time::timeout(PATIENCE, self.heard.recv()).await;
        heard.expect("a request comes").expect("the receiver runs")
    }
}

async fn read(stream: &mut TcpStream) -> Heard {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().unwrap())
            });
            let body = &bytes[end + 4..];
            if body.len() >= length.expect("a length") {
                return Heard { head, body: body.to_vec() };
            }
        }
        let mut part = [0; 4_096];
        let read = stream.read(&mut part).await.unwrap();
        assert!(read > 0, "the request breaks off");
        bytes.extend_from_slice(&part[..read]);
    }
}
