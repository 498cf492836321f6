//! The connection itself, which an HTTP framework does not let a handler cut.
//!
//! Each connection's socket is duplicated when it opens; a fault shuts the duplicate down, and with it the
//! connection, whatever the framework still means to write.

use std::any::Any;
use std::cell::Cell;
use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;

use actix_web::HttpResponse;
use actix_web::dev::Extensions;

use crate::state::Shared;

pub(super) struct Wire {
    socket: TcpStream,
    cut: Cell<bool>,
}

/// Keeps the socket of a new connection for its requests. In an outage it is cut at once.
pub(super) fn keep(io: &dyn Any, data: &mut Extensions, shared: &Shared) {
    let stream = io.downcast_ref::<actix_web::rt::net::TcpStream>();
    let Some(socket) = stream.and_then(|stream| stream.as_fd().try_clone_to_owned().ok()) else {
        return;
    };
    let wire = Wire { socket: TcpStream::from(socket), cut: Cell::new(false) };
    if shared.lock().script.outage {
        wire.shut();
    }
    data.insert(wire);
}

impl Wire {
    fn shut(&self) {
        self.cut.set(true);
        // Fails only if the caller was faster.
        drop(self.socket.shutdown(Shutdown::Both));
    }

    /// Bytes that arrived before the cut can still be read from a socket; they count for nothing.
    pub(super) fn is_cut(&self) -> bool {
        self.cut.get()
    }
}

pub(super) fn cut(wire: Option<&Wire>) -> HttpResponse {
    if let Some(wire) = wire {
        wire.shut();
    }
    // Written to a socket that is closed.
    HttpResponse::Ok().finish()
}

pub(super) fn cut_half_way(wire: Option<&Wire>, body: &str) -> HttpResponse {
    if let Some(wire) = wire {
        let half = body.get(..body.len() / 2).unwrap_or_default();
        let length = body.len();
        let start = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json; charset=UTF-8\r\ncontent-length: {length}\r\n\r\n{half}"
        );
        let mut stream = &wire.socket;
        drop(stream.write_all(start.as_bytes()));
    }
    cut(wire)
}
