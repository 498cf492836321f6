//! The rig does what it says, or the tests that stand on it prove nothing.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::server::wait_until;
use crate::{
    Balancer, Cluster, Durability, PgBouncer, Proxy, Session, installed, pooler_installed,
};

/// A table with a row, and how many rows it has.
const TABLE: &str = "CREATE TABLE t (n int); INSERT INTO t VALUES (1)";
const COUNT: &str = "SELECT count(*) FROM t";

#[test]
fn databases_are_apart_and_gone_when_they_are_dropped() {
    if !installed() {
        return;
    }
    let (one, other) = (Cluster::shared().database(), Cluster::shared().database());
    one.session().query(TABLE).unwrap();
    assert_eq!(one.session().value(COUNT).unwrap(), "1");
    assert!(other.session().query(COUNT).unwrap_err().to_string().contains("does not exist"));
    let nulls = one.session().query("SELECT NULL, '', n FROM t").unwrap();
    assert_eq!(nulls, [[None, Some(String::new()), Some("1".to_owned())]]);
    let name = one.name().to_owned();
    drop(one);
    assert!(Session::connect(Cluster::shared().primary().address(), &name).is_err());
}

#[test]
fn a_server_that_was_killed_still_has_what_was_committed() {
    if !installed() {
        return;
    }
    let cluster = Cluster::single(Durability::Flushed);
    let database = cluster.database();
    database.session().query(TABLE).unwrap();
    cluster.primary().kill();
    assert!(Session::connect(cluster.primary().address(), "postgres").is_err());
    cluster.primary().resume_from_disk();
    assert_eq!(database.session().value(COUNT).unwrap(), "1");
    cluster.primary().restart();
    assert_eq!(database.session().value(COUNT).unwrap(), "1");
}

#[test]
fn a_paused_server_answers_nobody_until_it_goes_on() {
    if !installed() {
        return;
    }
    let cluster = Cluster::single(Durability::Hurried);
    let mut session = cluster.primary().session("postgres");
    cluster.primary().pause();
    let asked = std::thread::spawn(move || session.value("SELECT 7").unwrap());
    std::thread::sleep(Duration::from_millis(200));
    assert!(!asked.is_finished());
    cluster.primary().go_on();
    assert_eq!(asked.join().unwrap(), "7");
}

#[test]
fn a_commit_waits_for_the_standby_which_has_it_when_it_is_promoted() {
    if !installed() {
        return;
    }
    let cluster = Cluster::replicated(Durability::Hurried);
    let database = cluster.database();
    database.session().query(TABLE).unwrap();
    for rows in 2..4 {
        cluster.standby().pause();
        let mut session = database.session();
        let writing = std::thread::spawn(move || session.query("INSERT INTO t VALUES (2)"));
        std::thread::sleep(Duration::from_millis(200));
        assert!(!writing.is_finished(), "the standby was not waited for");
        cluster.standby().go_on();
        writing.join().unwrap().unwrap();
        cluster.primary().kill();
        cluster.promote();
        assert_eq!(database.session().value(COUNT).unwrap(), rows.to_string());
        cluster.replicate();
    }
}

/// A proxy before the shared server.
fn proxy() -> Proxy {
    Proxy::before(Cluster::shared().primary().address())
}

#[test]
fn a_proxy_passes_refuses_holds_back_resets_and_delays() {
    if !installed() {
        return;
    }
    let proxy = proxy();
    let connect = || Session::connect(proxy.address(), "postgres");
    let mut session = connect().unwrap();
    assert_eq!(session.value("SELECT 1").unwrap(), "1");

    proxy.reset();
    let error = session.query("SELECT 1").unwrap_err();
    let is_cut = [io::ErrorKind::ConnectionReset, io::ErrorKind::BrokenPipe];
    assert!(is_cut.contains(&error.kind()), "{error:?}");

    let mut session = connect().unwrap();
    proxy.refuse();
    assert!(session.query("SELECT 1").is_err());
    assert_eq!(connect().unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    proxy.pass();

    let mut session = connect().unwrap();
    proxy.blackhole();
    let asked = std::thread::spawn(move || session.value("SELECT 2").unwrap());
    let address = proxy.address();
    let new = std::thread::spawn(move || Session::connect(address, "postgres").map(drop));
    std::thread::sleep(Duration::from_millis(200));
    assert!(!asked.is_finished() && !new.is_finished());
    proxy.pass();
    assert_eq!(asked.join().unwrap(), "2");
    new.join().unwrap().unwrap();

    let mut session = connect().unwrap();
    proxy.delay(Duration::from_millis(60));
    let begun = Instant::now();
    session.query("SELECT 3").unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(120), "{:?}", begun.elapsed());
}

#[test]
fn an_answer_to_commit_that_is_swallowed_was_carried_out() {
    if !installed() {
        return;
    }
    let (proxy, database) = (proxy(), Cluster::shared().database());
    database.session().query(TABLE).unwrap();
    let connect = || Session::connect(proxy.address(), database.name()).unwrap();
    proxy.swallow_commits(2);
    for rows in 2..4 {
        let mut session = connect();
        session.query("BEGIN").unwrap();
        session.query("INSERT INTO t VALUES (2)").unwrap();
        assert!(session.query("COMMIT").is_err(), "the answer came");
        assert_eq!((proxy.swallowed(), rows), (rows - 1, rows));
        assert_eq!(database.session().value(COUNT).unwrap(), rows.to_string());
    }
    let mut session = connect();
    session.query("BEGIN; INSERT INTO t VALUES (2)").unwrap();
    session.query("COMMIT").unwrap();
}

#[test]
fn a_commit_is_seen_however_it_is_sent_and_however_it_is_cut_in_pieces() {
    fn message(kind: &[u8], body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
        [kind, &length, body].concat()
    }
    let start = [message(b"", &80_877_103_u32.to_be_bytes()), message(b"", b"\0\x03\0\0user\0\0")];
    let prepared = [
        message(b"P", b"s1\0commit\0\0\0"),
        message(b"B", b"\0s1\0\0\0\0\0\0\0"),
        message(b"E", b"\0\0\0\0\0"),
    ];
    let other = [
        message(b"Q", b"INSERT INTO t VALUES ('COMMIT')\0"),
        message(b"P", b"\0SELECT 1\0\0\0"),
        message(b"B", b"\0\0\0\0\0\0\0\0"),
        message(b"E", b"\0\0\0\0\0"),
    ];
    for (messages, is_commit) in [
        (prepared.concat(), true),
        (message(b"Q", b"COMMIT\0"), true),
        (message(b"Q", b"INSERT INTO t VALUES (1); commit;\0"), true),
        (other.concat(), false),
    ] {
        for piece in [1, 3, 1_000] {
            let mut commits = crate::proxy::commits::Commits::default();
            let stream = [start.concat(), messages.clone()].concat();
            let seen = stream.chunks(piece).filter(|piece| commits.come(piece)).count();
            assert_eq!(seen == 1, is_commit, "in pieces of {piece}");
        }
    }
}

#[test]
fn a_pooler_gives_a_connection_for_a_transaction() {
    if !pooler_installed() {
        return;
    }
    let database = Cluster::shared().database();
    database.session().query(TABLE).unwrap();
    let pooler = PgBouncer::before(Cluster::shared().primary().address(), 1);
    let connect = || Session::connect(pooler.address(), database.name()).unwrap();
    let (mut one, mut other) = (connect(), connect());
    let who = "SELECT pg_backend_pid()";
    assert_eq!(one.value(who).unwrap(), other.value(who).unwrap(), "they share the only one");
    one.query("BEGIN; INSERT INTO t VALUES (2)").unwrap();
    let waits = std::thread::spawn(move || other.value(COUNT).unwrap());
    one.query("COMMIT").unwrap();
    assert_eq!(waits.join().unwrap(), "2");
}

/// An instance that answers a number of requests, the last of them politely, and is gone.
fn instance(name: &'static str, requests: usize) -> std::net::SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        drop(listener);
        for left in (0..requests).rev() {
            let mut request = [0; 1024];
            if stream.read(&mut request).unwrap() == 0 {
                return;
            }
            let last = if left == 0 { "connection: close\r\n" } else { "" };
            let answer =
                format!("HTTP/1.1 200 OK\r\n{last}content-length: {}\r\n\r\n{name}", name.len());
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    address
}

#[test]
fn requests_go_round_and_past_an_instance_that_refuses() {
    let balancer = Balancer::start();
    for (name, requests) in [("a", 1), ("b", 5)] {
        balancer.add(instance(name, requests));
    }
    let mut client = TcpStream::connect(balancer.address()).unwrap();
    let mut ask = || {
        client.write_all(b"POST / HTTP/1.1\r\ncontent-length: 2\r\n\r\n{}").unwrap();
        let mut answer = [0; 1024];
        let count = client.read(&mut answer).unwrap();
        let answer = String::from_utf8_lossy(&answer[..count]).into_owned();
        assert!(!answer.contains("connection"), "{answer}");
        answer.chars().last().unwrap()
    };
    assert_eq!([ask(), ask()], ['a', 'b']);
    assert_eq!(balancer.refused(), 0);
    assert_eq!([ask(), ask(), ask()], ['b', 'b', 'b'], "a is gone");
    assert!(balancer.refused() > 0);
}

/// What the test below starts: a server in a process of its own, which says where it is.
const CHILD: &str = "POSTGRES_RIG_CHILD";

#[test]
fn nothing_outlives_the_process_that_began_it() {
    if !installed() {
        return;
    }
    if std::env::var_os(CHILD).is_some() {
        let server = crate::Server::start(Durability::Hurried);
        server.pause();
        drop(writeln!(io::stderr(), "at {}", server.home().display()));
        std::thread::sleep(Duration::from_secs(60));
    }
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["nothing_outlives", "--nocapture"])
        .env(CHILD, "1")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = io::BufReader::new(child.stderr.take().unwrap());
    let mut home = String::new();
    while !home.starts_with("at ") {
        home.clear();
        assert!(io::BufRead::read_line(&mut said, &mut home).unwrap() > 0, "it ended");
    }
    let home = PathBuf::from(home.trim_start_matches("at ").trim());
    let pid = std::fs::read_to_string(home.join("data/postmaster.pid")).unwrap();
    let process = PathBuf::from("/proc").join(pid.lines().next().unwrap());
    assert!(process.exists());
    child.kill().unwrap();
    child.wait().unwrap();
    wait_until("something is left behind", || !process.exists() && !home.exists());
}
