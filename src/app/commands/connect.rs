//! `connect`: registers our address at DoubleTick, from the command line.

use crate::app::checks::Report;
use crate::app::commands::check::print;
use crate::app::connecting::Connecting;
use crate::config::Config;

/// Prints what was done and what arrives now.
pub(super) async fn run(config: &Config, remove_duplicates: bool) -> anyhow::Result<()> {
    let connecting = match Connecting::new(config) {
        Some(connecting) => connecting?,
        None => anyhow::bail!(
            "set DOUBLETICK_API_KEY to the key that DoubleTick shows under Settings > API"
        ),
    };
    let Some(base) = &config.public_url else {
        anyhow::bail!(
            "set PUBLIC_URL to the address under which DoubleTick reaches this service, such as \
             https://YOUR-APP.fly.dev"
        )
    };
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
