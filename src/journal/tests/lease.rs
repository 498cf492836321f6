//! Several processes on one database: which does what must be done once, and what is known of the others.

use std::sync::Arc;
use std::time::Duration;

use postgres_rig::{Cluster, Database};

use crate::chat::conversation::Conversation;
use crate::chat::listing::{Listing, Listings, Mark, Shown, Sighting};
use crate::chat::text::Personal;
use crate::journal::tests::{LIMITS, NOW, PLAN, accept_all, book, one_tab};
use crate::journal::{Address, Error, Journal};

const LENGTH: Duration = Duration::from_secs(10);

/// An empty database; `None` where PostgreSQL is not installed, which is said.
fn database() -> Option<Database<'static>> {
    postgres_rig::installed().then(|| Cluster::shared().database())
}

async fn instance(database: &Database<'_>) -> Journal {
    let address = Arc::new(Address::read(&database.url().into(), None).unwrap());
    let open = move || Journal::open_on(&address, LIMITS, one_tab()).unwrap();
    tokio::task::spawn_blocking(open).await.unwrap()
}

/// Somebody who waits in two lists.
fn sighted() -> Vec<Sighting> {
    let list = || {
        let mut list = Listing::new(Mark { number: 1, at: NOW });
        let conversation = Conversation::of("+919876543210", "+919000000000").unwrap();
        list.add(conversation, Shown::Waiting(Personal::default()));
        list
    };
    let mut seen = Listings::default();
    drop(seen.note(list()));
    seen.note(list()).unwrap().waiting().collect()
}

#[tokio::test]
async fn a_process_that_was_stopped_can_do_no_more_when_another_has_taken_over() {
    let Some(database) = database() else { return };
    let (first, second) = (instance(&database).await, instance(&database).await);
    let term = first.beat("{}".into(), LENGTH).await.unwrap().unwrap().term;
    assert!(second.beat("{}".into(), LENGTH).await.unwrap().is_none(), "it is taken");
    let owner = first.in_term(term);
    accept_all(&second, &["a"]).await;
    let draft = owner.draft(book(&owner), 10, NOW).await.unwrap();
    // Its lease ends while it is stopped.
    database.session().query("UPDATE doubletick_sheets.lease SET until = 0").unwrap();
    assert!(second.is_unowned().await.unwrap());
    let taken = second.beat("{}".into(), LENGTH).await.unwrap().unwrap();
    assert_ne!(taken.term, term);
    let sealed = owner.seal(draft, PLAN.into(), None, NOW).await;
    assert!(matches!(sealed, Err(Error::NotOwner)), "{sealed:?}");
    assert!(matches!(owner.redraw_marker_base().await, Err(Error::NotOwner)));
    assert!(matches!(owner.sweep(NOW).await, Err(Error::NotOwner)));
    let told = owner.note_waits_told(book(&owner), Some(NOW)).await;
    assert!(matches!(told, Err(Error::NotOwner)), "{told:?}");
    assert!(matches!(owner.mark(NOW).await, Err(Error::NotOwner)));
    assert!(matches!(owner.note_asked(None, NOW).await, Err(Error::NotOwner)));
    assert!(matches!(owner.find_missed(sighted(), NOW).await, Err(Error::NotOwner)));
    // Events are taken by any.
    accept_all(&owner, &["b"]).await;
}

#[tokio::test]
async fn a_lease_that_is_given_back_is_free_at_once_under_another_epoch() {
    let Some(database) = database() else { return };
    let (first, second) = (instance(&database).await, instance(&database).await);
    let term = first.beat("{}".into(), LENGTH).await.unwrap().unwrap().term;
    assert!(!second.is_unowned().await.unwrap());
    first.resign(term).await.unwrap();
    assert!(second.is_unowned().await.unwrap());
    let taken = second.beat("{}".into(), LENGTH).await.unwrap().unwrap().term;
    assert_ne!(taken, term);
    // Said again, late, by the one that has resigned.
    first.resign(term).await.unwrap();
    assert!(!first.is_unowned().await.unwrap());
}

/// It finds out by that note what became of its last commit, when it can be reached again.
#[tokio::test]
async fn what_is_noted_of_a_process_stays_long_after_it_was_last_heard_of() {
    let Some(database) = database() else { return };
    let (cut_off, other) = (instance(&database).await, instance(&database).await);
    cut_off.beat("{}".into(), LENGTH).await.unwrap();
    let day_ms = 86_400_000;
    let age = format!("UPDATE doubletick_sheets.instance SET seen_at = seen_at - {day_ms}");
    database.session().query(&age).unwrap();
    other.beat("{}".into(), LENGTH).await.unwrap();
    let ids = "SELECT count(*) FROM doubletick_sheets.instance";
    assert_eq!(database.session().value(ids).unwrap(), "2");
    let told = other.fellows().await.unwrap();
    assert_eq!(told.len(), 1, "nobody is told of it any more: {told:?}");
}
