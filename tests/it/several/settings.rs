//! What `check` says of a database that cannot be used: for each reason one sentence, with what to do.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;

use postgres_rig::{Cluster, Durability, Server};

use crate::harness::Clinic;

/// Who must give a password, and who is not let in.
const HBA: [&str; 4] = [
    "host all patient 127.0.0.1/32 scram-sha-256",
    "host all banned 127.0.0.1/32 reject",
    "host all all 127.0.0.1/32 trust",
    "host replication all 127.0.0.1/32 trust",
];

/// What `check` says of the database, without its name.
#[track_caller]
fn said(clinic: &Clinic) -> String {
    let ended = clinic.run(&["check"]);
    let is_of_it = |line: &&str| line.split_whitespace().nth(1) == Some("database");
    let line = ended.stdout.lines().find(is_of_it);
    let line = line.unwrap_or_else(|| panic!("no line of it:\n{}{}", ended.stdout, ended.stderr));
    let secret = ended.stdout.contains("sesame") || ended.stderr.contains("sesame");
    assert!(!secret, "the password is shown");
    let words: Vec<&str> = line.split_whitespace().filter(|word| *word != "database").collect();
    words.join(" ")
}

#[track_caller]
fn refuses(clinic: &Clinic, sentence: &str) {
    let said = said(clinic);
    let has_it = said.starts_with("FAIL ") && said.contains(sentence);
    assert!(has_it, "{sentence:?} is not in {said:?}");
    // The words of an outage of the running service say nothing to whoever sets it up.
    assert!(!said.contains("events are held"), "{said}");
}

fn at(url: &str) -> Clinic {
    Clinic::new().with("DATABASE_URL", url)
}

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/several").join(name)
}

/// Puts these lines into a file of the server's.
fn put(server: &Server, path: &str, text: &str) {
    let lines: Vec<String> = text.lines().map(|line| format!("('{line}')")).collect();
    server.sql(&format!("COPY (VALUES {}) TO PROGRAM 'umask 077; cat > {path}'", lines.join(", ")));
}

/// The file that a setting of the server names.
fn path(server: &Server, setting: &str) -> String {
    server.session("postgres").value(&format!("SHOW {setting}")).unwrap()
}

#[test]
fn a_server_that_is_not_there_is_said_to_be_silent() {
    if !postgres_rig::installed() {
        return;
    }
    let silent =
        "does not answer; see that it runs, and that host and port in DATABASE_URL are right";
    refuses(&at("postgres://u:sesame@database.invalid/clinic"), silent);
    refuses(&at("postgres://u:sesame@127.0.0.1:1/clinic?sslmode=disable"), "Connection refused");
}

#[test]
fn whoever_is_not_let_in_is_told_what_of_the_address_is_wrong() {
    if !postgres_rig::installed() {
        return;
    }
    let cluster = Cluster::single(Durability::Hurried);
    let (server, database) = (cluster.primary(), cluster.database());
    server.sql("CREATE ROLE patient LOGIN PASSWORD 'open sesame'");
    server.sql("CREATE ROLE banned LOGIN");
    server.sql("CREATE ROLE visitor LOGIN");
    put(server, &path(server, "hba_file"), &HBA.join("\n"));
    server.sql("SELECT pg_reload_conf()");
    let url = |user: &str, name: &str| {
        at(&format!("postgres://{user}@{}/{name}?sslmode=disable", server.address()))
    };
    let denied = "set user and password in DATABASE_URL as the server has them";
    for user in ["patient:sesame", "patient", "nobody", "banned"] {
        refuses(&url(user, database.name()), denied);
    }
    refuses(&url("postgres", "no_such"), "there is no `no_such` at 127.0.0.1:");
    let rights = "may not make or use the schema doubletick_sheets";
    refuses(&url("visitor", database.name()), rights);
    server.sql(&format!("GRANT CREATE ON DATABASE {} TO patient", database.name()));
    let said = said(&url("patient:open%20sesame", database.name()));
    assert!(said.starts_with("ok ") && said.ends_with(" 0 rows pending"), "{said}");
    // The tables are another's now.
    refuses(&url("visitor", database.name()), rights);
}

#[test]
fn a_server_must_prove_who_it_is_where_that_is_asked_for() {
    if !postgres_rig::installed() {
        return;
    }
    let cluster = Cluster::single(Durability::Hurried);
    let (server, database) = (cluster.primary(), cluster.database());
    let url = |host: &str, mode: &str| {
        let port = server.address().port();
        at(&format!("postgres://postgres@{host}:{port}/{}?sslmode={mode}", database.name()))
    };
    let trusting =
        |clinic: Clinic, name: &str| clinic.with("DATABASE_CA", &file(name).display().to_string());
    refuses(&url("127.0.0.1", "require"), "offers no TLS");
    let data = path(server, "data_directory");
    for (name, pem) in [("server.crt", "certificate.pem"), ("server.key", "worthless-key.pem")] {
        put(server, &format!("{data}/{name}"), &std::fs::read_to_string(file(pem)).unwrap());
    }
    server.set("ssl", "on");
    for mode in ["prefer", "require"] {
        assert!(said(&url("127.0.0.1", mode)).starts_with("ok "), "{mode}");
    }
    let proven = trusting(url("127.0.0.1", "verify-full"), "certificate.pem");
    assert!(said(&proven).starts_with("ok "), "{}", said(&proven));
    let untrusted = "cannot be trusted; set DATABASE_CA";
    refuses(&trusting(url("127.0.0.1", "verify-full"), "other-certificate.pem"), untrusted);
    refuses(&trusting(url("127.0.0.1", "require"), "other-certificate.pem"), untrusted);
    // Of who is trusted, and for another name.
    refuses(&trusting(url("localhost", "verify-full"), "certificate.pem"), untrusted);
    let by_issuer = trusting(url("localhost", "verify-ca"), "certificate.pem");
    assert!(said(&by_issuer).starts_with("ok "), "{}", said(&by_issuer));
    let no_certificate = "holds no certificate that can be used; set DATABASE_CA to a PEM file";
    refuses(&trusting(url("127.0.0.1", "verify-full"), "worthless-key.pem"), no_certificate);
}

#[test]
fn a_database_that_cannot_hold_the_journal_says_why() {
    if !postgres_rig::installed() {
        return;
    }
    let cluster = Cluster::replicated(Durability::Hurried);
    let database = cluster.database();
    let whole = at(&database.url());
    assert!(said(&whole).starts_with("ok "), "{}", said(&whole));
    refuses(
        &at(&database.url_at(&[cluster.standby().address()])),
        "is a standby and takes no writes",
    );
    let mut session = database.session();
    session.query("UPDATE doubletick_sheets.origin SET schema = 99").unwrap();
    refuses(&whole, "was made by a newer doubletick-sheets (schema 99, this one knows 1)");
    let old = format!("postgres://u@{}/clinic?sslmode=disable", an_old_server());
    refuses(&at(&old), "is PostgreSQL 13.22; this program needs 14 or later");
}

/// A server of a version that no package brings any more: it lets everybody in and knows three settings.
fn an_old_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            drop(answer(stream.unwrap()));
        }
    });
    address
}

fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    // Who comes in and to which database, behind their length.
    body(&mut stream)?;
    let mut answer = message(b'R', &[0; 4]);
    loop {
        answer.extend(message(b'Z', b"I"));
        stream.write_all(&answer)?;
        stream.read_exact(&mut [0])?;
        let asked = String::from_utf8(body(&mut stream)?).unwrap();
        answer = row(match asked.trim_end_matches('\0') {
            "SHOW transaction_read_only" => "off",
            "SHOW server_version_num" => "130022",
            "SHOW server_version" => "13.22",
            _ => return Ok(()),
        });
    }
}

/// What stands behind the length of a message.
fn body(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut body = vec![0; u32::from_be_bytes(length) as usize - 4];
    stream.read_exact(&mut body)?;
    Ok(body)
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
    [&[kind], &length[..], body].concat()
}

/// The answer to a statement that gives one text.
fn row(value: &str) -> Vec<u8> {
    let length = u32::try_from(value.len()).unwrap().to_be_bytes();
    // One column: its name, of no table, of the type `text`, of any length, as text.
    let column = [&[0, 1][..], b"is\0", &[0; 6], &[0, 0, 0, 25], &[255; 6], &[0; 2]].concat();
    let values = [&[0, 1][..], &length, value.as_bytes()].concat();
    [message(b'T', &column), message(b'D', &values), message(b'C', b"SHOW\0")].concat()
}
