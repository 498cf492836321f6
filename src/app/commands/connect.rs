//! `connect`: registers our address at DoubleTick, from the command line.

use crate::app::checks::Report;
use crate::app::commands::check::print;
use crate::app::connecting::Connecting;
use crate::config::{Config, Problems};

/// Prints what was done and what arrives now.
pub(super) async fn run(config: &Config, remove_duplicates: bool) -> anyhow::Result<()> {
    let mut missing = Problems::default();
    let connecting = Connecting::new(config);
    if connecting.is_none() {
        missing.add(
            "DOUBLETICK_API_KEY",
            "is missing: set it to the key that DoubleTick shows under Settings > API",
        );
    }
    if config.public_url.is_none() {
        missing.add(
            "PUBLIC_URL",
            "is missing: set it to the address under which DoubleTick reaches this service, such as \
             https://YOUR-APP.fly.dev",
        );
    }
    let (Some(connecting), Some(base)) = (connecting, &config.public_url) else {
        return Err(missing.into());
    };
    let connecting = connecting?;
    let mut report = Report::to(print);
    match remove_duplicates {
        true => connecting.remove_duplicates(base, &mut report).await,
        false => connecting.connect(base, &mut report).await,
    }
    anyhow::ensure!(
        report.all_hold,
        "not every event arrives once: the lines above say what to do"
    );
    Ok(())
}
