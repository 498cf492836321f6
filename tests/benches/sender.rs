//! A sender: connections that stay open, one event at a time on each, and when each was acknowledged.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

const CHAT: &str = "chat_";

/// One connection to the webhook.
pub(crate) struct Sender {
    stream: BufReader<TcpStream>,
    path: String,
}

impl Sender {
    /// Connects to a webhook's address.
    pub(crate) fn to(url: &str) -> Self {
        let (host, path) = url.trim_start_matches("http://").split_once('/').unwrap();
        let stream = TcpStream::connect(host).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream: BufReader::new(stream), path: format!("/{path}") }
    }

    /// Unassigns the chat of this number; when its 200 was read.
    pub(crate) fn unassign(&mut self, number: usize) -> Instant {
        assert!(self.try_unassign(number).unwrap(), "it was not taken");
        Instant::now()
    }

    /// The same where it may be refused, or the connection be lost; whether it was taken.
    pub(crate) fn try_unassign(&mut self, number: usize) -> io::Result<bool> {
        let body = format!(
            r#"{{"chatId":"{CHAT}{number}","customerPhone":"+919111222333","wabaNumber":"+919000000000","dtCustomerId":"customer_{number}"}}"#
        );
        let head = format!(
            "POST {} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            self.path,
            body.len()
        );
        self.stream.get_mut().write_all((head + &body).as_bytes())?;
        let (mut status, mut length) = (String::new(), 0);
        self.stream.read_line(&mut status)?;
        loop {
            let mut line = String::new();
            if self.stream.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            match line.trim_end().split_once(": ") {
                Some(("content-length", value)) => length = value.parse().unwrap(),
                Some(_) => {}
                None => break,
            }
        }
        let mut answer = vec![0; length];
        self.stream.read_exact(&mut answer)?;
        Ok(status.starts_with("HTTP/1.1 200"))
    }
}

/// The number of a chat that was unassigned here, by its id.
pub(crate) fn number_of(chat: &str) -> usize {
    chat.strip_prefix(CHAT).and_then(|number| number.parse().ok()).unwrap()
}

/// Unassigns so many chats as fast as these connections go; when each was acknowledged, by number.
pub(crate) fn unassign_all(url: &str, count: usize, connections: usize) -> Vec<Instant> {
    let next = AtomicUsize::new(0);
    let send = || {
        let (mut sender, mut acknowledged) = (Sender::to(url), Vec::new());
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return acknowledged;
            }
            acknowledged.push((number, sender.unassign(number)));
        }
    };
    let mut acknowledged: Vec<(usize, Instant)> = std::thread::scope(|scope| {
        let senders: Vec<_> = (0..connections).map(|_| scope.spawn(send)).collect();
        senders.into_iter().flat_map(|sender| sender.join().unwrap()).collect()
    });
    acknowledged.sort_unstable();
    acknowledged.into_iter().map(|(_, at)| at).collect()
}
