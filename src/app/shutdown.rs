//! The signal to stop, as a future: SIGTERM from the platform, SIGINT from a keyboard.

use tokio::signal::unix::{SignalKind, signal};

/// Resolves at the first of the two. A second signal changes nothing: stopping is bounded anyway.
///
/// # Errors
/// When the system does not let us listen.
pub fn requested() -> std::io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
