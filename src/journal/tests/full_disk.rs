//! A disk that is full refuses events, harms nothing, lets rows out, and is noticed to have room again.

use std::time::{Duration, Instant};

use crate::journal::page::Page;
use crate::journal::tests::{NOW, accept_all, check_identity, dir, open, sealed, unassigned};
use crate::journal::{Error, Journal, Refusal};

/// From now on the database has so many pages more than it has, and then SQLite finds the disk full.
async fn leave_room_for(journal: &Journal, pages: i64) {
    let work = move |page: &mut Page<'_>| {
        let count: i64 =
            page.connection.pragma_query_value(None, "page_count", |row| row.get(0))?;
        let most = (count + pages).to_string();
        page.connection.pragma_update_and_check(None, "max_page_count", most, |_| Ok(()))?;
        Ok(())
    };
    journal.0.writer.commit(work).await.unwrap();
}

#[tokio::test]
async fn a_full_disk_refuses_events_lets_rows_out_and_takes_events_again() {
    let dir = dir();
    let journal = open(dir.path());
    leave_room_for(&journal, 3).await;
    let mut taken = 0;
    let refused = loop {
        match journal.accept(unassigned(&format!("chat {taken}")), NOW).await {
            Ok(_) => taken += 1,
            Err(refused) => break refused,
        }
    };
    assert!(matches!(&refused, Refusal::Failed(error) if matches!(**error, Error::DiskFull)));
    assert!(taken > 0 && journal.is_full());
    assert!(matches!(journal.accept(unassigned("another"), NOW).await, Err(Refusal::Full)));
    assert_eq!(journal.tally().pending(), taken);
    check_identity(&journal);

    let batch = sealed(&journal, 1_000).await;
    assert_eq!(batch.entries().len() as u64, taken);
    journal.written(batch).await.unwrap();
    check_identity(&journal);
    assert_eq!(journal.tally().pending(), 0);

    leave_room_for(&journal, 1_000).await;
    let give_up = Instant::now() + Duration::from_secs(30);
    while journal.is_full() {
        assert!(Instant::now() < give_up, "nobody notices that there is room");
        journal.refresh().await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    accept_all(&journal, &["after"]).await;
    check_identity(&journal);
    drop(journal);
    let journal = open(dir.path());
    assert_eq!(journal.tally().accepted, taken + 1);
    check_identity(&journal);
}
