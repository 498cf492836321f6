//! From the settings to a journal: in its directory, or on its database.
//!
//! A program that was built without PostgreSQL has settings that refuse a database, and so never asks for one.

#[cfg(feature = "postgres")]
use built_in as database;
#[cfg(not(feature = "postgres"))]
use left_out as database;

use crate::app::parts::{limits, routes};
use crate::config::Config;
use crate::journal::Journal;

/// Opens the journal, in its directory or on its database. A database that does not answer is waited for: events
/// are held meanwhile, since nobody can be told that they are kept. `waits` is called once where that is so.
pub(super) async fn journal(config: &Config, waits: impl FnOnce()) -> anyhow::Result<Journal> {
    match &config.database {
        Some(database) => database::journal(config, database, waits).await,
        None => Ok(Journal::open(&config.data_dir, limits(config), routes(config))?),
    }
}

/// Opens the journal beside the service, for a moment.
pub(in crate::app) async fn journal_beside(config: &Config) -> anyhow::Result<Journal> {
    match &config.database {
        Some(database) => database::journal_beside(config, database).await,
        None => Ok(Journal::open_beside(&config.data_dir, limits(config), routes(config))?),
    }
}

#[cfg(feature = "postgres")]
mod built_in {
    use std::sync::Arc;
    use std::time::Duration;

    use crate::app::parts::{limits, routes};
    use crate::app::progress::{Unit, Work, shown};
    use crate::causes::Causes;
    use crate::config::{Config, Database};
    use crate::journal::{Address, AddressFault, DatabaseFault, Journal, MoveFault};
    use crate::progress::Progress;

    const MOVING: Work = Work {
        name: "moving the journal into the database",
        unit: Unit::Things("records"),
        total: None,
    };
    /// How often a database that does not answer at the start is tried.
    const TRY_EVERY: Duration = Duration::from_secs(1);

    /// A journal in the data directory is moved into the database first. `waits` is called once where the
    /// database is waited for.
    pub(super) async fn journal(
        config: &Config,
        database: &Database,
        waits: impl FnOnce(),
    ) -> anyhow::Result<Journal> {
        let address = address(database)?;
        let mut waits = Some(waits);
        loop {
            match moved_and_opened(config, &address).await {
                Err(fault) if fault.is_passing() => {
                    if let Some(waits) = waits.take() {
                        log::error!("{}; waiting for it", Causes(&fault));
                        waits();
                    }
                    tokio::time::sleep(TRY_EVERY).await;
                }
                opened => return Ok(opened?),
            }
        }
    }

    pub(super) async fn journal_beside(
        config: &Config,
        database: &Database,
    ) -> anyhow::Result<Journal> {
        Ok(opened(config, &address(database)?).await?)
    }

    fn address(database: &Database) -> Result<Arc<Address>, AddressFault> {
        Address::read(&database.url, database.certificates.clone()).map(Arc::new)
    }

    async fn moved_and_opened(
        config: &Config,
        address: &Arc<Address>,
    ) -> Result<Journal, MoveFault> {
        let (dir, to) = (config.data_dir.clone(), Arc::clone(address));
        let progress = Progress::default();
        let moving = progress.clone();
        let moved = tokio::task::spawn_blocking(move || Journal::move_into(&dir, &to, &moving));
        // Nothing is moved where nothing is left to move.
        let done = || Some(progress.done()).filter(|done| *done > 0);
        let moved = shown(MOVING, done, moved).await;
        moved.unwrap_or_else(|failed| Err(DatabaseFault::away(address.label(), failed).into()))?;
        Ok(opened(config, address).await?)
    }

    async fn opened(config: &Config, address: &Arc<Address>) -> Result<Journal, DatabaseFault> {
        let (address, limits, routes) = (Arc::clone(address), limits(config), routes(config));
        let label = address.label().to_owned();
        let opened =
            tokio::task::spawn_blocking(move || Journal::open_on(&address, limits, routes));
        opened.await.unwrap_or_else(|failed| Err(DatabaseFault::away(&label, failed)))
    }
}

#[cfg(not(feature = "postgres"))]
mod left_out {
    use crate::config::{Config, Database};
    use crate::journal::Journal;

    /// The settings were refused for it already.
    const LEFT_OUT: &str = "this program was built without PostgreSQL";

    pub(super) async fn journal(
        _config: &Config,
        _database: &Database,
        _waits: impl FnOnce(),
    ) -> anyhow::Result<Journal> {
        anyhow::bail!(LEFT_OUT)
    }

    pub(super) async fn journal_beside(
        _config: &Config,
        _database: &Database,
    ) -> anyhow::Result<Journal> {
        anyhow::bail!(LEFT_OUT)
    }
}
