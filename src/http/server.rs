//! The server: `actix-web` over watched connections, and never more of them than the machine can hold.

use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;

use actix_http::{HttpService, Protocol};
use actix_service::{Service, ServiceFactoryExt, fn_service, map_config};
use actix_web::App;
use actix_web::dev::{AppConfig, Payload, Server, ServiceResponse};
use actix_web::http::ConnectionType;
use actix_web::web::Data;
use tokio::net::{TcpSocket, TcpStream};

use crate::http::connection::{Connection, Connections, KEEP_ALIVE, Watched};
use crate::http::{HEAD_TIME_MAX, STOP_BUDGET_S, Shared, routes};

/// Most connections at once, however many descriptors there are. Each may take some 150 KB of memory.
const CONNECTIONS_MAX: usize = 1_000;
/// Fewest, however few descriptors there are.
const CONNECTIONS_MIN: usize = 16;
/// How many more connections a worker accepts while others are still being closed for them.
const GIVING_WAY_MAX: usize = 16;

/// How many connections the system holds until we accept them. When there are more, a client's first bytes
/// are lost and sent again a fifth of a second later. The usual 128 are too few for a burst.
const BACKLOG: u32 = 1_024;

/// Listens on an address.
///
/// # Errors
/// When it is taken, or none of this machine's.
pub fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)?.into_std()
}

/// Serves the routes on a socket until the server is told to stop.
///
/// # Errors
/// When the socket cannot be used.
pub fn serve(listener: TcpListener, shared: Shared) -> std::io::Result<Server> {
    let shared = Data::new(shared);
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let connections_max = connections_max(descriptors()) / workers;
    let builder = Server::build()
        .workers(workers)
        .max_concurrent_connections(connections_max + GIVING_WAY_MAX)
        .shutdown_timeout(STOP_BUDGET_S)
        // The app decides when to stop, and in which order.
        .disable_signals();
    let stop = builder.graceful_shutdown_signal();
    let server = builder.listen("http", listener, move || {
        let (stop, connections) = (stop.clone(), Connections::new(connections_max));
        let app = App::new()
            .app_data(Data::clone(&shared))
            .wrap_fn(|request, routes| {
                let connection = request.request().conn_data::<Rc<Connection>>().map(Rc::clone);
                let has_body = !matches!(request.parts().1, Payload::None);
                if let Some(connection) = &connection {
                    connection.begins(has_body);
                }
                answered(connection, routes.call(request))
            })
            .configure(routes);
        let http = HttpService::build()
            .client_request_timeout(HEAD_TIME_MAX)
            .keep_alive(KEEP_ALIVE)
            .graceful_shutdown_signal(move || {
                let stop = stop.clone();
                async move { stop.notified().await }
            })
            .on_connect_ext(|stream: &Watched, data| {
                data.insert(stream.connection());
            })
            .finish(map_config(app, |()| AppConfig::default()));
        fn_service(move |stream: TcpStream| {
            let peer = stream.peer_addr().ok();
            let watched = connections.watch(stream);
            async move { Ok((watched, Protocol::Http1, peer)) }
        })
        .and_then(http)
    })?;
    Ok(server.run())
}

/// Awaits the answer to a request. A body that was not read by then will never be, so the connection is
/// closed.
async fn answered<B>(
    connection: Option<Rc<Connection>>,
    answer: impl Future<Output = Result<ServiceResponse<B>, actix_web::Error>>,
) -> Result<ServiceResponse<B>, actix_web::Error> {
    let mut answer = answer.await;
    if connection.is_some_and(|connection| connection.ends())
        && let Ok(answer) = &mut answer
    {
        answer.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    answer
}

/// Half of the descriptors: the journal, the calls to Google and the server itself need some too.
fn connections_max(descriptors: usize) -> usize {
    (descriptors / 2).clamp(CONNECTIONS_MIN, CONNECTIONS_MAX)
}

/// How many descriptors this process may have open; Linux tells it as a file.
fn descriptors() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let open_files = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let soft = open_files.and_then(|limits| limits.split_whitespace().next());
    soft.and_then(|soft| soft.parse().ok()).unwrap_or(CONNECTIONS_MAX)
}
