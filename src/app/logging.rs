//! Logging: where it goes, and the wall that keeps secrets out of it.
//!
//! Libraries may log warnings and errors only, whatever `RUST_LOG` says: at `debug` one of them prints
//! signed tokens, and any of them could print an address with the secret in it. The HTTP server may log
//! nothing: what it calls an error is what anybody can send to an open port.

use std::io::Write;

use env_logger::fmt::Formatter;
use log::kv::{Error, Key, Value, VisitSource};
use log::{LevelFilter, Log, Metadata, Record};
use serde_json::{Map, json};

use crate::config::LogFormat;

/// The origin of our own records, which pass at every level.
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

/// A line as a JSON object: the four keys that every line has, and the line's own keys.
struct Object(Map<String, serde_json::Value>);

impl<'kvs> VisitSource<'kvs> for Object {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), Error> {
        let number = value.to_u64().map(|number| json!(number));
        let number = number.or_else(|| value.to_i64().map(|number| json!(number)));
        let value = number.unwrap_or_else(|| json!(value.to_string()));
        // What every line has is never hidden by a key of the same name.
        self.0.entry(key.as_str()).or_insert(value);
        Ok(())
    }
}

fn write_json(to: &mut Formatter, record: &Record<'_>) -> std::io::Result<()> {
    let mut line = Object(Map::new());
    for (name, value) in [
        ("ts", to.timestamp_millis().to_string()),
        ("level", record.level().to_string()),
        ("target", record.target().to_owned()),
        ("message", record.args().to_string()),
    ] {
        line.0.insert(name.to_owned(), json!(value));
    }
    record.key_values().visit(&mut line).map_err(std::io::Error::other)?;
    writeln!(to, "{}", serde_json::Value::Object(line.0))
}

/// Starts logging to standard error, as `RUST_LOG` says, else at `info`, in the format that is set.
/// Once a process; a second call changes nothing.
pub fn init() {
    let filter = env_logger::Env::default().default_filter_or("info");
    let mut builder = env_logger::Builder::from_env(filter);
    if LogFormat::from_env() == LogFormat::Json {
        builder.format(write_json);
    }
    let logger = builder.build();
    let level = logger.filter();
    if log::set_boxed_logger(Box::new(Walled(logger))).is_ok() {
        log::set_max_level(level);
    }
}

/// Says why the program ends, also where `RUST_LOG` turns the log off.
pub fn complain(sentence: &dyn std::fmt::Display) {
    if log::log_enabled!(log::Level::Error) {
        log::error!("{sentence}");
    } else {
        // There is nobody left to tell of a closed stream.
        _ = writeln!(std::io::stderr(), "{sentence}");
    }
}
