//! Entry point. Everything interesting starts in [`doubletick_sheets::app`].

use std::process::ExitCode;

use doubletick_sheets::app::{commands, logging};
use mimalloc::MiMalloc;

/// What one thread allocates for an event another one frees; the system's waits for a lock there.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    logging::init();
    commands::run(std::env::args_os().skip(1)).await
}
