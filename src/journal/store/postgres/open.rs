//! The database made ready, or a plain sentence why it cannot be used.

use std::sync::Arc;

use tokio_postgres::SimpleQueryMessage;
use tokio_postgres::types::Type;

use crate::journal::origin::{MARKER_BASE, Origin, marker_base};
use crate::journal::store::postgres::address::Address;
use crate::journal::store::postgres::link::{Complaint, Link, Said};

/// The schema that this program writes.
const SCHEMA: i32 = 1;
/// The oldest PostgreSQL that is taken, as it calls itself.
const SERVER_VERSION_MIN: i64 = 140_000;
/// Instances that start at once make the schema one after the other. The number means this program.
const ADVISORY_LOCK: i64 = 0x4454_534A;

/// What was seen, beneath a sentence of ours.
type Source = Arc<dyn std::error::Error + Send + Sync>;

/// Why the journal's database cannot be used, each with what to do.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseFault {
    /// It does not answer: to be tried again.
    #[error(
        "the database {label} does not answer; see that it runs, and that host and port in DATABASE_URL are \
         right"
    )]
    Away {
        /// Which one.
        label: String,
        /// What was seen.
        source: Source,
    },
    /// It only reads for now: to be tried again.
    #[error(
        "the database {label} is a standby and takes no writes; set DATABASE_URL to the primary, or promote \
         this one"
    )]
    Standby {
        /// Which one.
        label: String,
    },
    /// It is of an older kind than the statements need.
    #[error("the database {label} is PostgreSQL {found}; this program needs 14 or later")]
    TooOld {
        /// Which one.
        label: String,
        /// Its version.
        found: String,
    },
    /// The user may not do what is needed.
    #[error(
        "the user in DATABASE_URL may not make or use the schema doubletick_sheets in the database {label}; \
         let its owner run: GRANT CREATE ON DATABASE … TO …"
    )]
    NoRights {
        /// Which one.
        label: String,
        /// What the server said.
        source: Source,
    },
    /// The server does not let this user in.
    #[error(
        "cannot log in to the database {label}; set user and password in DATABASE_URL as the server has them, \
         and see that it lets this machine in"
    )]
    Denied {
        /// Which one.
        label: String,
        /// What was said.
        source: Source,
    },
    /// There is none of that name.
    #[error("there is no database {label}; make it, or set DATABASE_URL to one that is there")]
    Missing {
        /// Which one.
        label: String,
        /// What the server said.
        source: Source,
    },
    /// It speaks no TLS.
    #[error(
        "the database {label} offers no TLS, which is asked for by sslmode in DATABASE_URL, or where none is set \
         beyond a private network; turn it on there, or set sslmode=disable if nobody can listen in on the way"
    )]
    Unencrypted {
        /// Which one.
        label: String,
    },
    /// Its certificate proves nothing to us.
    #[error(
        "the certificate of the database {label} cannot be trusted; set DATABASE_CA to the certificates of who \
         issued it, and DATABASE_URL to the name that it is for"
    )]
    Untrusted {
        /// Which one.
        label: String,
        /// What is wrong with it.
        source: Source,
    },
    /// Nothing can be told from the certificates that are to be trusted.
    #[error(transparent)]
    Certificates(Source),
    /// A later version of this program made it.
    #[error(
        "the journal in the database {label} was made by a newer doubletick-sheets (schema {found}, this \
         one knows {known}); install that version or a later one"
    )]
    Newer {
        /// Which one.
        label: String,
        /// Its schema.
        found: i32,
        /// The last that this program knows.
        known: i32,
    },
}

impl DatabaseFault {
    /// Whether it may be over by itself.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Away { .. } | Self::Standby { .. })
    }

    /// An attempt did not come to its end, for this reason.
    pub fn away(label: &str, why: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Away { label: label.to_owned(), source: Arc::new(why) }
    }

    fn of(address: &Address, said: Said) -> Self {
        let label = address.label().to_owned();
        match said.complaint() {
            Complaint::Rights => Self::NoRights { label, source: Arc::new(said) },
            Complaint::ReadOnly => Self::Standby { label },
            Complaint::Login => Self::Denied { label, source: Arc::new(said) },
            Complaint::NoDatabase => Self::Missing { label, source: Arc::new(said) },
            Complaint::NoTls => Self::Unencrypted { label },
            Complaint::Distrust => Self::Untrusted { label, source: Arc::new(said) },
            Complaint::NoCertificates => Self::Certificates(Arc::new(said)),
            Complaint::Other => Self::Away { label, source: Arc::new(said) },
        }
    }
}

/// Makes the tables if there are none. Gives the way there.
pub(super) fn prepare(address: &Arc<Address>) -> Result<Link, DatabaseFault> {
    let fault = |said| DatabaseFault::of(address, said);
    let link = Link::new(Arc::clone(address))
        .map_err(|source| DatabaseFault::away(address.label(), source))?;
    let version = word(&link, "SHOW server_version_num").map_err(fault)?;
    if version.as_deref().and_then(|text| text.parse().ok()) < Some(SERVER_VERSION_MIN) {
        let found = word(&link, "SHOW server_version").map_err(fault)?.unwrap_or_default();
        return Err(DatabaseFault::TooOld { label: address.label().to_owned(), found });
    }
    link.run(async |client| {
        let begin = format!(
            "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL synchronous_commit = on; \
             SELECT pg_advisory_xact_lock({ADVISORY_LOCK})"
        );
        client.batch_execute(&begin).await
    })
    .map_err(fault)?;
    link.pin(true);
    let made = make(&link);
    let ended = match made {
        Ok(_) => link.run(async |client| client.batch_execute("COMMIT").await),
        Err(_) => link.run(async |client| client.batch_execute("ROLLBACK").await),
    };
    link.pin(false);
    let found = made.and_then(|found| ended.map(|()| found)).map_err(fault)?;
    match found {
        SCHEMA => Ok(link),
        found => {
            let label = address.label().to_owned();
            Err(DatabaseFault::Newer { label, found, known: SCHEMA })
        }
    }
}

/// Inside a transaction: gives the schema that is there, which is ours where there was none.
fn make(link: &Link) -> Result<i32, Said> {
    let there = word(link, "SELECT to_regclass('doubletick_sheets.origin') IS NOT NULL")?;
    if there.as_deref() == Some("t") {
        let schema = word(link, "SELECT schema FROM doubletick_sheets.origin")?;
        return Ok(schema.and_then(|text| text.parse().ok()).unwrap_or_default());
    }
    let Some(Origin { hash_key, tag }) = Origin::draw() else {
        return Err(Said::NoRandomness);
    };
    link.run(async |client| {
        client.batch_execute(include_str!("schema.sql")).await?;
        let sql = "INSERT INTO doubletick_sheets.origin (one, schema, hash_key, tag)
                   VALUES (1, $1, $2, $3)";
        let tag: &str = &tag;
        client
            .execute_typed(
                sql,
                &[(&SCHEMA, Type::INT4), (&hash_key, Type::BYTEA), (&tag, Type::TEXT)],
            )
            .await?;
        let sql = "INSERT INTO doubletick_sheets.meta (name, value) VALUES ($1, $2)";
        let base = marker_base();
        client.execute_typed(sql, &[(&MARKER_BASE, Type::TEXT), (&base, Type::INT8)]).await
    })?;
    Ok(SCHEMA)
}

/// The first value that a statement gives, as text.
fn word(link: &Link, sql: &str) -> Result<Option<String>, Said> {
    let messages = link.run(async |client| client.simple_query(sql).await)?;
    Ok(messages.into_iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    }))
}
