//! Logging: where it goes, and the wall that keeps secrets out of it.
//!
//! Of the libraries only warnings and errors pass, whatever `RUST_LOG` says: at `debug` one of them
//! prints signed tokens, and any of them may print an address with the secret in it. Of the HTTP
//! server nothing passes: what it calls an error is what any stranger may send to an open port.

use std::io::Write;

use log::{LevelFilter, Log, Metadata, Record};

/// Our own records, in full.
const OURS: &str = env!("CARGO_CRATE_NAME");

struct Walled(env_logger::Logger);

impl Log for Walled {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let origin = metadata.target().split("::").next().unwrap_or_default();
        let passes = match origin {
            OURS => true,
            "actix_http" => false,
            _ => metadata.level() <= LevelFilter::Warn,
        };
        passes && self.0.enabled(metadata)
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

/// Says why the program ends. Also where `RUST_LOG` wants to hear nothing: whoever started it does.
pub fn complain(sentence: &dyn std::fmt::Display) {
    if log::log_enabled!(log::Level::Error) {
        log::error!("{sentence}");
    } else {
        // There is nobody left to tell of a closed stream.
        _ = writeln!(std::io::stderr(), "{sentence}");
    }
}
