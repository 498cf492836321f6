//! Entry point. Everything interesting starts in [`doubletick_sheets::app`].

use std::process::ExitCode;

use doubletick_sheets::app::{command, logging};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    logging::init();
    command::run(std::env::args().skip(1)).await.unwrap_or_else(|error| {
        log::error!("{error:#}");
        ExitCode::FAILURE
    })
}
