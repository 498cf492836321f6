//! Where the database is and how far its name is to be proven: what `DATABASE_URL` says.
//!
//! As libpq reads it: several hosts, `sslmode`, `sslrootcert` and the rest. Which of the hosts takes writes is
//! found out by asking, so `target_session_attrs` may say what it likes. Nothing here shows a password.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tokio_postgres::Config;
use tokio_postgres::config::{ChannelBinding, Host, SslMode, TargetSessionAttrs};

/// How long an unanswered packet may stay so before the connection counts as lost.
const UNANSWERED_MAX: Duration = Duration::from_secs(10);

/// Why the address cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AddressFault {
    /// It is not one.
    #[error("DATABASE_URL must look like postgres://user:password@host:5432/database")]
    Unreadable,
    /// It asks for something unknown.
    #[error(
        "DATABASE_URL has an sslmode that is not known; it must be disable, prefer, require, verify-ca or \
         verify-full"
    )]
    SslMode,
}

/// How far a server must prove who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    /// Not at all: its connection may be encrypted.
    None,
    /// Its certificate comes from who is trusted.
    Certificate,
    /// And it is for this name.
    Name,
}

/// One host of the address.
#[derive(Clone)]
pub(super) struct Server {
    pub(super) config: Config,
    pub(super) proof: Proof,
}

/// The database's address. Debug shows hosts and the database's name.
#[derive(Clone)]
pub struct Address {
    pub(super) servers: Vec<Server>,
    /// Certificates that are trusted instead of the system's.
    pub(super) trusted: Option<PathBuf>,
    label: String,
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Address({})", self.label)
    }
}

impl Address {
    /// Reads `DATABASE_URL`, and `DATABASE_CA` where it is set.
    ///
    /// # Errors
    /// A sentence that repeats nothing of the address.
    pub fn read(url: &SecretString, trusted: Option<PathBuf>) -> Result<Self, AddressFault> {
        let url = url.expose_secret().trim();
        let (before, query) = url.split_once('?').unwrap_or((url, ""));
        let (mut mode, mut trusted) = (None, trusted);
        let mut others = form_urlencoded::Serializer::new(String::new());
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "sslmode" => mode = Some(value.into_owned()),
                "sslrootcert" if value == "system" => {}
                "sslrootcert" => trusted = trusted.or(Some(PathBuf::from(value.into_owned()))),
                // Proven by the certificate, where it is to be proven; and these are libpq's own affairs.
                "channel_binding" | "gssencmode" | "sslcompression" | "sslsni" | "pgbouncer" => {}
                _ => {
                    others.append_pair(&name, &value);
                }
            }
        }
        let others = others.finish().replace('+', "%20");
        let all: Config =
            format!("{before}?{others}").parse().map_err(|_| AddressFault::Unreadable)?;
        let hosts = all.get_hosts();
        let servers = hosts.iter().enumerate().map(|(at, host)| {
            let (ssl_mode, proof) = encryption(mode.as_deref(), host, trusted.is_some())?;
            let config = server(&all, at, host, ssl_mode);
            Ok(Server { config, proof })
        });
        let servers = servers.collect::<Result<Vec<_>, AddressFault>>()?;
        if servers.is_empty() {
            return Err(AddressFault::Unreadable);
        }
        let names: Vec<String> = servers.iter().map(name_of).collect();
        let database = all.get_dbname().or(all.get_user()).unwrap_or("postgres");
        let label = format!("`{database}` at {}", names.join(", "));
        Ok(Self { servers, trusted, label })
    }

    /// The database and its hosts, for sentences.
    pub fn label(&self) -> &str {
        &self.label
    }
}

/// The settings of one host alone.
fn server(all: &Config, at: usize, host: &Host, ssl_mode: SslMode) -> Config {
    let mut config = Config::new();
    match host {
        Host::Tcp(name) => config.host(name),
        Host::Unix(path) => config.host_path(path),
    };
    let (addresses, ports) = (all.get_hostaddrs(), all.get_ports());
    if let Some(address) = addresses.get(at) {
        config.hostaddr(*address);
    }
    if let Some(port) = ports.get(at).or(ports.first()) {
        config.port(*port);
    }
    if let Some(user) = all.get_user() {
        config.user(user);
    }
    if let Some(password) = all.get_password() {
        config.password(password);
    }
    if let Some(name) = all.get_dbname() {
        config.dbname(name);
    }
    if let Some(options) = all.get_options() {
        config.options(options);
    }
    config
        .application_name(all.get_application_name().unwrap_or("doubletick-sheets"))
        .ssl_mode(ssl_mode)
        .channel_binding(ChannelBinding::Disable)
        // Who only reads is of no use: the next host is asked.
        .target_session_attrs(TargetSessionAttrs::ReadWrite)
        .tcp_user_timeout(UNANSWERED_MAX)
        .keepalives_idle(UNANSWERED_MAX)
        .keepalives_interval(Duration::from_secs(3))
        .keepalives_retries(3);
    config
}

/// What `sslmode` asks for. Without one, a host that is not ours alone must prove its name.
fn encryption(
    mode: Option<&str>,
    host: &Host,
    has_trusted: bool,
) -> Result<(SslMode, Proof), AddressFault> {
    Ok(match mode {
        Some("disable") => (SslMode::Disable, Proof::None),
        Some("allow" | "prefer") => (SslMode::Prefer, Proof::None),
        // As libpq: who names certificates wants them looked at.
        Some("require") if has_trusted => (SslMode::Require, Proof::Certificate),
        Some("require") => (SslMode::Require, Proof::None),
        Some("verify-ca") => (SslMode::Require, Proof::Certificate),
        Some("verify-full") => (SslMode::Require, Proof::Name),
        Some(_) => return Err(AddressFault::SslMode),
        None if has_trusted || !is_private(host) => (SslMode::Require, Proof::Name),
        None => (SslMode::Prefer, Proof::None),
    })
}

/// As people write it; a port only where it is not the usual one.
fn name_of(server: &Server) -> String {
    match (server.config.get_hosts(), server.config.get_ports()) {
        ([Host::Tcp(name)], [] | [5432]) => name.clone(),
        ([Host::Tcp(name)], [port, ..]) => format!("{name}:{port}"),
        _ => "a local socket".to_owned(),
    }
}

/// Whether the way to this host leaves the machine or its private network. A name tells only by its ending,
/// since what it resolves to is anybody's word.
fn is_private(host: &Host) -> bool {
    let Host::Tcp(name) = host else { return true };
    match name.trim_matches(['[', ']']).parse::<IpAddr>() {
        Ok(IpAddr::V4(ip)) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        Ok(IpAddr::V6(ip)) => {
            ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local()
        }
        Err(_) => {
            // Fly's managed databases are at `flympg.net`, which its private network alone reaches.
            let private = [".internal", ".flycast", ".flympg.net", ".local", ".localhost"];
            !name.contains('.') || private.iter().any(|ending| name.ends_with(ending))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str) -> Result<Address, AddressFault> {
        Address::read(&SecretString::from(url.to_owned()), None)
    }

    fn encryption_of(url: &str) -> (SslMode, Proof) {
        let address = read(url).unwrap();
        let server = address.servers.first().unwrap();
        (server.config.get_ssl_mode(), server.proof)
    }

    #[test]
    fn a_host_beyond_the_private_network_must_prove_its_name() {
        let full = (SslMode::Require, Proof::Name);
        assert_eq!(encryption_of("postgres://u:p@db.example.com/clinic"), full);
        assert_eq!(encryption_of("postgres://u:p@203.0.113.7/clinic"), full);
        let private = (SslMode::Prefer, Proof::None);
        for host in [
            "localhost",
            "127.0.0.1",
            "10.1.2.3",
            "[fdaa::3]",
            "db.internal",
            "pgbouncer.abc.flympg.net",
            "db",
        ] {
            assert_eq!(encryption_of(&format!("postgres://u:p@{host}/clinic")), private, "{host}");
        }
    }

    #[test]
    fn what_sslmode_says_counts_also_against_the_default() {
        let of =
            |mode: &str| encryption_of(&format!("postgres://u@db.example.com/c?sslmode={mode}"));
        assert_eq!(of("disable"), (SslMode::Disable, Proof::None));
        assert_eq!(of("require"), (SslMode::Require, Proof::None));
        assert_eq!(of("verify-ca"), (SslMode::Require, Proof::Certificate));
        assert_eq!(
            encryption_of("postgres://u@localhost/c?sslmode=verify-full"),
            (SslMode::Require, Proof::Name)
        );
        assert_eq!(
            encryption_of("postgres://u@h.example.com/c?sslmode=require&sslrootcert=/ca.pem"),
            (SslMode::Require, Proof::Certificate)
        );
        assert!(matches!(read("postgres://u@h/c?sslmode=full"), Err(AddressFault::SslMode)));
    }

    #[test]
    fn each_of_several_hosts_has_its_own_port() {
        let address = read("postgres://u:p@a:5433,b:5434/clinic?target_session_attrs=any").unwrap();
        let ports: Vec<u16> =
            address.servers.iter().map(|server| server.config.get_ports()[0]).collect();
        assert_eq!(ports, [5433, 5434]);
        assert_eq!(address.label(), "`clinic` at a:5433, b:5434");
    }

    #[test]
    fn an_address_that_cannot_be_read_is_not_repeated() {
        for url in
            ["", "mysql://u:secret@h/c", "postgres://u:secret@h:x/c", "postgres://h/c?a=secret"]
        {
            let fault = read(url).unwrap_err();
            assert!(!format!("{fault} {fault:?}").contains("secret"), "{url}");
        }
        let address = read("postgres://u:secret@h/c").unwrap();
        assert!(!format!("{address:?} {}", address.label()).contains("secret"));
    }
}
