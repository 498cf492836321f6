//! The plainest of clients: one connection, simple queries, values as text.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// The rows of an answer; `None` is NULL.
pub type Rows = Vec<Vec<Option<String>>>;

/// A connection as `postgres`, who may do anything.
#[derive(Debug)]
pub struct Session(TcpStream);

impl Session {
    /// Connects to a database; a minute at most passes until an answer.
    ///
    /// # Errors
    /// When the server is not there or does not let us in.
    pub fn connect(address: SocketAddr, database: &str) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, Duration::from_secs(10))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        let mut session = Self(stream);
        let mut start = 196_608_u32.to_be_bytes().to_vec();
        for text in ["user", "postgres", "database", database, ""] {
            start.extend_from_slice(text.as_bytes());
            start.push(0);
        }
        session.send(&[], &start)?;
        session.answer()?;
        Ok(session)
    }

    /// Runs statements; gives the rows of all of them.
    ///
    /// # Errors
    /// In the server's words, or when the connection is gone.
    pub fn query(&mut self, sql: &str) -> io::Result<Rows> {
        self.send(b"Q", &[sql.as_bytes(), &[0]].concat())?;
        self.answer()
    }

    /// The one value of an answer.
    ///
    /// # Errors
    /// As [`Self::query`], and when there is none.
    pub fn value(&mut self, sql: &str) -> io::Result<String> {
        let first = self.query(sql)?.into_iter().next().and_then(|row| row.into_iter().next());
        first.flatten().ok_or_else(|| io::Error::other("there is no value"))
    }

    /// A message of a kind; the first has none.
    fn send(&mut self, kind: &[u8], body: &[u8]) -> io::Result<()> {
        let length = u32::try_from(body.len() + 4).map_err(io::Error::other)?;
        self.0.write_all(&[kind, &length.to_be_bytes(), body].concat())
    }

    fn message(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let mut head = [0; 5];
        self.0.read_exact(&mut head)?;
        let [kind, length @ ..] = head;
        let mut body = vec![0; (u32::from_be_bytes(length) as usize).saturating_sub(4)];
        self.0.read_exact(&mut body)?;
        Ok((kind, body))
    }

    /// Everything until the server is ready for the next query.
    fn answer(&mut self) -> io::Result<Rows> {
        let mut rows = Vec::new();
        let mut refused = None;
        loop {
            match self.message()? {
                (b'D', body) => rows.push(values(&body)),
                (b'E', body) => {
                    let said = String::from_utf8_lossy(&body).replace('\0', " ");
                    // A start that is refused is the end of the connection.
                    if said.contains("FATAL") {
                        return Err(io::Error::other(said));
                    }
                    refused = Some(io::Error::other(said));
                }
                (b'Z', _) => return refused.map_or(Ok(rows), Err),
                _ => {}
            }
        }
    }
}

/// The values of a row.
fn values(body: &[u8]) -> Vec<Option<String>> {
    let (count, mut rest) = body.split_at(2);
    let count = u16::from_be_bytes([count[0], count[1]]);
    let value = |_| {
        let (length, after) = rest.split_at(4);
        let length = u32::from_be_bytes([length[0], length[1], length[2], length[3]]);
        rest = after;
        (length != u32::MAX).then(|| {
            let (value, after) = rest.split_at(length as usize);
            rest = after;
            String::from_utf8_lossy(value).into_owned()
        })
    };
    (0..count).map(value).collect()
}
