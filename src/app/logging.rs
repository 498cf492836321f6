//! Logging: where it goes, and the wall that keeps secrets out of it.
//!
//! Of the libraries only warnings and errors pass, whatever `RUST_LOG` says: at `debug` one of them
//! prints signed tokens, and any of them may print an address with the secret in it.

use log::{LevelFilter, Log, Metadata, Record};

/// Our own records, in full.
const OURS: &str = env!("CARGO_CRATE_NAME");

struct Walled(env_logger::Logger);

impl Log for Walled {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let is_ours = metadata.target().split("::").next() == Some(OURS);
        (is_ours || metadata.level() <= LevelFilter::Warn) && self.0.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            self.0.log(record);
        }
    }

    fn flush(&self) {
        self.0.flush();
    }
}

/// Starts logging to standard error, as `RUST_LOG` says, else at `info`. Once a process; a second
/// call changes nothing.
pub fn init() {
    let logger =
        env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("info")).build();
    let level = logger.filter();
    if log::set_boxed_logger(Box::new(Walled(logger))).is_ok() {
        log::set_max_level(level);
    }
}
