//! Listening: the socket, and the door at which requests wait until they can be served.

use std::net::SocketAddr;

use anyhow::Context;

use crate::config::Config;
use crate::http::{self, Door, Server};

/// What anybody is told who looks at a service that waits for its database.
const WAITS: &str = "starting: the database does not answer yet; events are held meanwhile, and kept as soon as \
                     it does; the log says why";

/// A socket, and who serves it.
#[derive(Debug)]
pub(super) struct Listening {
    pub(super) address: SocketAddr,
    pub(super) server: Server,
    pub(super) door: Door,
}

impl Listening {
    /// Listens from here on; requests wait until the door is opened.
    pub(super) fn on(config: &Config) -> anyhow::Result<Self> {
        let socket = SocketAddr::new(config.host, config.port);
        let listener = http::listen(socket).with_context(|| {
            format!("cannot listen on {socket}; set PORT to a free one and HOST to an own address")
        })?;
        let address = listener.local_addr()?;
        let door = Door::closed(WAITS.to_owned());
        let server = http::serve(listener, &door).context("cannot serve HTTP")?;
        Ok(Self { address, server, door })
    }

    /// Says where it listens, though nothing can be kept yet.
    pub(super) fn say_that_events_are_held(&self) {
        let address = self.address;
        log::info!("listening on http://{address} and holding events until the database answers");
    }
}
