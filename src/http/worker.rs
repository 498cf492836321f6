//! A worker: one thread that serves the connections it is given, until there are no more to come.

use std::rc::Rc;
use std::time::Duration;

use actix_http::{HttpService, Protocol};
use actix_service::{Service, ServiceFactory, ServiceFactoryExt, fn_service, map_config};
use actix_web::dev::{AppConfig, Payload, ServiceResponse};
use actix_web::http::ConnectionType;
use actix_web::web::Data;
use actix_web::{App, HttpResponse};
use serde_json::json;
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::timeout;

use crate::http::connection::{Connection, Connections, KEEP_ALIVE, Watched};
use crate::http::door::{Admission, Door};
use crate::http::{HEAD_TIME_MAX, STOP_BUDGET_S, page, routes};

/// A connection that was accepted, and its place among those of a worker; none of those that are taken at the
/// very end.
pub(super) type Accepted = (std::net::TcpStream, Option<OwnedSemaphorePermit>);

/// Serves until nobody can give it connections any more; then gives those that there are
/// [`STOP_BUDGET_S`].
pub(super) fn run(
    door: Door,
    connections_max: usize,
    inbox: UnboundedReceiver<Accepted>,
) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, work(door, connections_max, inbox))
}

async fn work(
    door: Door,
    connections_max: usize,
    mut inbox: UnboundedReceiver<Accepted>,
) -> std::io::Result<()> {
    let (door, connections) = (Data::new(door), Connections::new(connections_max));
    let app = App::new()
        .app_data(Data::clone(&door))
        .wrap_fn(move |request, routes| {
            let connection = request.request().conn_data::<Rc<Connection>>().map(Rc::clone);
            let has_body = !matches!(request.parts().1, Payload::None);
            if let Some(connection) = &connection {
                connection.begins(has_body);
            }
            let admission = door.admission(request.path());
            let waits = matches!(admission, Admission::Waits).then(|| Data::clone(&door));
            let answer = match admission {
                Admission::Told(sentence) => {
                    let told = told(request.path(), &sentence);
                    Err(request.into_response(told))
                }
                Admission::Served | Admission::Waits => Ok(routes.call(request)),
            };
            answered(connection, async move {
                if let Some(door) = waits {
                    door.opened().await?;
                }
                match answer {
                    Ok(answer) => answer.await,
                    Err(told) => Ok(told),
                }
            })
        })
        .configure(routes);
    let http = HttpService::build()
        .client_request_timeout(HEAD_TIME_MAX)
        .keep_alive(KEEP_ALIVE)
        .on_connect_ext(|stream: &Watched, data| {
            data.insert(stream.connection());
        })
        .finish(map_config(app, |()| AppConfig::default()));
    let watched = connections.clone();
    let factory = fn_service(move |stream: TcpStream| {
        let peer = stream.peer_addr().ok();
        let watched = watched.watch(stream);
        async move { Ok((watched, Protocol::Http1, peer)) }
    })
    .and_then(http);
    let unusable = |_| std::io::Error::other("the routes cannot be set up");
    let service = factory.new_service(()).await.map_err(unusable)?;
    let mut serving = JoinSet::new();
    loop {
        tokio::select! {
            accepted = inbox.recv() => {
                let Some((stream, seat)) = accepted else { break };
                let Ok(stream) = TcpStream::from_std(stream) else { continue };
                let served = service.call(stream);
                serving.spawn_local(async move {
                    // How a connection ended is nobody's business but its client's.
                    drop(served.await);
                    drop(seat);
                });
            }
            Some(_) = serving.join_next(), if !serving.is_empty() => {}
        }
    }
    connections.drain();
    let all = async { while serving.join_next().await.is_some() {} };
    if timeout(Duration::from_secs(STOP_BUDGET_S), all).await.is_err() {
        log::warn!("stopped while clients had not taken their answers");
    }
    Ok(())
}

/// What is said of a service that waits for its journal.
fn told(path: &str, sentence: &str) -> HttpResponse {
    match path {
        "/" => page::closed(sentence),
        _ => HttpResponse::ServiceUnavailable().json(json!({ "ready": false, "detail": sentence })),
    }
}

/// Awaits the answer to a request. A body that was not read by then will never be, so the connection is
/// closed; and so it is when the service stops.
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
