//! The reader: one connection beside the writer's, for one question at a time.
//!
//! Whoever asks waits without a thread, and may stop waiting. A database that did not answer is not tried again
//! for a moment: an attempt takes seconds where nobody answers, and those behind it would each make their own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use crate::journal::Error;
use crate::journal::store::{Fault, Read};

/// For how long a database that did not answer is not tried again.
const AWAY_FOR: Duration = Duration::from_secs(1);

/// The connection, and how it was last.
pub(super) struct Reader {
    store: Box<dyn Read>,
    away: Option<(Instant, Error)>,
}

impl Reader {
    pub(super) fn new(store: Box<dyn Read>) -> Self {
        Self { store, away: None }
    }

    fn ask<T>(&mut self, read: impl FnOnce(&dyn Read) -> Result<T, Error>) -> Result<T, Error> {
        if let Some((since, error)) = &self.away
            && since.elapsed() < AWAY_FOR
        {
            return Err(error.clone());
        }
        let done = read(&*self.store);
        self.away = match &done {
            Err(error @ Error::Store(Fault::Away(_))) => Some((Instant::now(), error.clone())),
            _ => None,
        };
        done
    }
}

/// Reads on a thread that may block, when it is our turn. `keeps` is let go after the connection.
pub(super) async fn ask<T, F>(
    reader: &Arc<Mutex<Reader>>,
    keeps: impl Send + 'static,
    read: F,
) -> Result<T, Error>
where
    T: Send + 'static,
    F: FnOnce(&dyn Read) -> Result<T, Error> + Send + 'static,
{
    let mut reader = Arc::clone(reader).lock_owned().await;
    let done = tokio::task::spawn_blocking(move || {
        let done = reader.ask(read);
        drop(reader);
        drop(keeps);
        done
    });
    done.await.unwrap_or(Err(Error::Closed))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use tokio::sync::oneshot;

    use super::*;
    use crate::journal::tests::engine::Place;

    #[tokio::test]
    async fn a_database_that_did_not_answer_is_tried_again_after_a_moment_and_not_before() {
        let place = Place::sqlite();
        let journal = place.open();
        let away = || Error::Store(Fault::Away(Arc::new(std::fmt::Error)));
        let since = Instant::now();
        assert!(journal.read(move |_| Err::<(), _>(away())).await.is_err());
        while journal.read(|_| Ok(())).await.is_err() {
            assert!(since.elapsed() < 30 * AWAY_FOR, "it is never tried again");
            tokio::time::sleep(AWAY_FOR / 20).await;
        }
        assert!(since.elapsed() >= AWAY_FOR);
    }

    #[tokio::test]
    async fn whoever_stops_waiting_for_a_silent_database_asks_it_nothing() {
        let place = Place::sqlite();
        let journal = place.open();
        let (began, has_begun) = oneshot::channel();
        let (release, released) = mpsc::channel::<()>();
        let silence = journal.read(move |_| {
            began.send(()).unwrap();
            released.recv().unwrap();
            Ok(())
        });
        let asked = Arc::new(AtomicUsize::new(0));
        let others = async {
            has_begun.await.unwrap();
            for _ in 0..20 {
                let asked = Arc::clone(&asked);
                let ask = journal.read(move |_| Ok(asked.fetch_add(1, Ordering::SeqCst)));
                assert!(tokio::time::timeout(Duration::from_millis(1), ask).await.is_err());
            }
            release.send(()).unwrap();
        };
        let (silence, ()) = tokio::join!(silence, others);
        silence.unwrap();
        journal.read(|_| Ok(())).await.unwrap();
        assert_eq!(asked.load(Ordering::SeqCst), 0);
    }
}
