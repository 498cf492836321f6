//! What the service is measured against: the same HTTP server, with as little behind it as can be.

use std::io::Write;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use actix_web::web::{self, Bytes, Data};
use actix_web::{App, HttpResponse, HttpServer};
use tokio::sync::oneshot;
use tokio_postgres::NoTls;
use tokio_postgres::types::{ToSql, Type};

type Line = (Bytes, oneshot::Sender<()>);

/// Serves `echo`, `log` or `unnest` on a free port, which it prints, until it is killed.
pub(crate) fn serve(role: &str) {
    let log = match role {
        "log" => Some(start(write_log)),
        "unnest" => Some(start(write_rows)),
        _ => None,
    };
    let serving = async {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        println!("listening on http://{}", listener.local_addr().unwrap());
        let log = Data::new(log);
        HttpServer::new(move || {
            App::new().app_data(Data::clone(&log)).default_service(web::to(answer))
        })
        .keep_alive(std::time::Duration::from_secs(120))
        .listen(listener)
        .unwrap()
        .run()
        .await
        .unwrap();
    };
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(serving);
}

async fn answer(body: Bytes, log: Data<Option<SyncSender<Line>>>) -> HttpResponse {
    if let Some(log) = log.as_ref() {
        let (kept, is_kept) = oneshot::channel();
        log.send((body.clone(), kept)).unwrap();
        is_kept.await.unwrap();
    }
    HttpResponse::Ok().body(body)
}

/// The writer of all that comes, on a thread of its own.
fn start(write: fn(&Receiver<Line>)) -> SyncSender<Line> {
    let (lines, inbox) = sync_channel(8_192);
    std::thread::spawn(move || write(&inbox));
    lines
}

/// All that waits is written, synced once, and answered.
fn write_log(inbox: &Receiver<Line>) {
    let directory = tempfile::tempdir_in(std::env::var("BENCH_DIR").unwrap()).unwrap();
    let mut file = std::fs::File::create(directory.path().join("log")).unwrap();
    let (mut bytes, mut waiting) = (Vec::new(), Vec::new());
    while let Ok(first) = inbox.recv() {
        for (line, kept) in std::iter::once(first).chain(inbox.try_iter().take(1_023)) {
            bytes.extend_from_slice(&u32::try_from(line.len()).unwrap().to_le_bytes());
            bytes.extend_from_slice(&line);
            waiting.push(kept);
        }
        file.write_all(&bytes).unwrap();
        file.sync_data().unwrap();
        bytes.clear();
        // Whoever hung up needs no answer.
        waiting.drain(..).for_each(|kept| kept.send(()).unwrap_or_default());
    }
}

/// All that waits is inserted by one statement, committed once, and answered.
fn write_rows(inbox: &Receiver<Line>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let client = runtime.block_on(async {
        let url = std::env::var("DATABASE_URL").unwrap();
        let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
        tokio::spawn(connection);
        let table = "CREATE TABLE IF NOT EXISTS bare (number bigserial PRIMARY KEY, body bytea)";
        client.batch_execute(table).await.unwrap();
        client
    });
    let insert = "INSERT INTO bare (body) SELECT unnest($1)";
    while let Ok(first) = inbox.recv() {
        let lines = std::iter::once(first).chain(inbox.try_iter().take(1_023));
        let (bodies, waiting): (Vec<Bytes>, Vec<_>) = lines.unzip();
        let bodies: Vec<&[u8]> = bodies.iter().map(|body| &**body).collect();
        // The statement is its own transaction: one round trip and one commit.
        let values: [(&(dyn ToSql + Sync), Type); 1] = [(&bodies, Type::BYTEA_ARRAY)];
        runtime.block_on(client.execute_typed(insert, &values)).unwrap();
        waiting.into_iter().for_each(|kept| kept.send(()).unwrap_or_default());
    }
}
