//! Accepting: kept before it is said, recognised when it comes again, refused when full.

use std::time::{Duration, Instant};

use each_engine::each_engine;
use serde_json::json;

use crate::chat::event::{ChatEvent, Happening};
use crate::chat::text::Personal;
use crate::journal::tests::engine::Place;
use crate::journal::tests::{
    LIMITS, NOW, accept_all, assigned, chats, check_identity, event, one_tab, sealed, unassigned,
};
use crate::journal::{Journal, Limits, Refusal, Standing};

#[each_engine]
async fn an_event_with_a_receipt_survives_a_power_cut(place: Place) {
    let journal = place.open();
    for chat in ["a", "b", "c"] {
        let receipt = journal.accept(unassigned(chat), NOW).await.unwrap();
        let cut = place.cut();
        let found = cut.open();
        let again = found.accept(unassigned(chat), NOW).await.unwrap();
        assert_eq!(again.standing(), Standing::Duplicate);
        assert_eq!(again.event_id(), receipt.event_id());
        assert_eq!(found.tally().pending(), journal.tally().pending());
    }
}

#[each_engine]
async fn many_who_come_at_once_are_each_kept_once(place: Place) {
    let journal = place.open();
    let mut all = Vec::new();
    for number in 0..200 {
        // Every chat comes twice.
        all.push(Box::pin(journal.accept(unassigned(&format!("chat {}", number / 2)), NOW)));
    }
    let mut ids = Vec::new();
    // Polled together, so that they wait for the same commit.
    for receipt in joined(all).await {
        ids.push(receipt.unwrap().event_id().number);
    }
    ids.sort_unstable();
    assert_eq!(ids, (1..=100).flat_map(|number| [number; 2]).collect::<Vec<u64>>());
    assert_eq!((journal.tally().accepted, journal.tally().duplicate), (100, 100));
    check_identity(&place, &journal);
}

/// Waits for all of them at once.
pub(super) async fn joined<F: Future + Unpin>(mut futures: Vec<F>) -> Vec<F::Output> {
    let mut done: Vec<Option<F::Output>> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (future, done) in futures.iter_mut().zip(&mut done) {
            if done.is_none()
                && let std::task::Poll::Ready(output) = std::pin::Pin::new(future).poll(context)
            {
                *done = Some(output);
            }
        }
        match done.iter().all(Option::is_some) {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        }
    })
    .await;
    done.into_iter().flatten().collect()
}

#[each_engine]
async fn an_event_whose_sender_went_away_is_kept_all_the_same(place: Place) {
    let journal = place.open();
    let mut watch = journal.watch();
    {
        let mut gone = Box::pin(journal.accept(unassigned("a"), NOW));
        // Handed to the writer by the first poll, and then dropped.
        let polled = tokio::time::timeout(Duration::ZERO, &mut gone).await;
        drop(polled);
    }
    watch.wait_for(|counters| counters.tally.accepted == 1).await.unwrap();
    assert_eq!(place.rows()["entry"], 1);
}

#[each_engine]
async fn a_resend_gets_the_first_ones_id_also_after_a_restart(place: Place) {
    let journal = place.open();
    let first = journal.accept(unassigned("a"), NOW).await.unwrap();
    let again = journal.accept(unassigned("a"), NOW.plus_ms(1_000)).await.unwrap();
    assert_eq!(again.standing(), Standing::Duplicate);
    assert_eq!(again.event_id(), first.event_id());
    drop(journal);
    let journal = place.open();
    let again = journal.accept(unassigned("a"), NOW.plus_ms(2_000)).await.unwrap();
    assert_eq!(again.standing(), Standing::Duplicate);
    assert_eq!(again.event_id(), first.event_id());
    assert_eq!((journal.tally().accepted, journal.tally().duplicate), (1, 2));
    check_identity(&place, &journal);
}

#[each_engine]
async fn a_resend_is_recognised_after_its_row_was_written(place: Place) {
    let journal = place.open();
    let first = journal.accept(unassigned("a"), NOW).await.unwrap();
    let batch = sealed(&journal, 10).await;
    journal.written(batch).await.unwrap();
    let again = journal.accept(unassigned("a"), NOW).await.unwrap();
    assert_eq!(again.event_id(), first.event_id());
    assert_eq!(journal.tally().pending(), 0);
}

#[each_engine]
async fn event_ids_are_never_given_twice(place: Place) {
    let journal = place.open();
    accept_all(&journal, &["a", "b"]).await;
    let batch = sealed(&journal, 10).await;
    journal.written(batch).await.unwrap();
    drop(journal);
    let journal = place.open();
    let receipt = journal.accept(unassigned("c"), NOW).await.unwrap();
    assert_eq!(receipt.event_id().number, 3);
    let other = place.another();
    let receipt_of_other = other.open().accept(unassigned("c"), NOW).await.unwrap();
    assert_ne!(receipt_of_other.event_id().tag, receipt.event_id().tag);
}

#[each_engine]
async fn a_full_journal_refuses_changes_nothing_and_still_knows_resends(place: Place) {
    let journal = place.open_with(Limits { pending_rows_max: 2, ..LIMITS }, one_tab());
    let first = journal.accept(unassigned("a"), NOW).await.unwrap();
    journal.accept(unassigned("b"), NOW).await.map(drop).unwrap();
    assert!(journal.condition().is_some());
    let (tally, before) = (journal.tally(), place.rows());
    for _ in 0..3 {
        let refused = journal.accept(unassigned("c"), NOW).await;
        assert!(matches!(refused, Err(Refusal::Full)));
    }
    assert_eq!(journal.tally(), tally);
    assert_eq!(place.rows(), before);
    let again = journal.accept(unassigned("a"), NOW).await.unwrap();
    assert_eq!(again.event_id(), first.event_id());
    // What becomes no row is still learnt.
    journal.accept(assigned("c", "Dr. Meera"), NOW).await.map(drop).unwrap();
    let batch = sealed(&journal, 1).await;
    journal.written(batch).await.unwrap();
    let taken = journal.accept(unassigned("c"), NOW).await.unwrap();
    assert_eq!(taken.standing(), Standing::Accepted, "its refusal was no first sending");
    check_identity(&place, &journal);
}

#[each_engine]
async fn a_row_is_completed_from_what_came_before_it_also_after_a_restart(place: Place) {
    let journal = place.open();
    let opened = json!({ "from": "+919876543210", "customerName": "Asha", "customerId": "7" });
    journal.accept(event(Happening::Opened, opened), NOW).await.map(drop).unwrap();
    journal.accept(assigned("a", "Dr. Meera"), NOW).await.map(drop).unwrap();
    drop(journal);
    let journal = place.open();
    accept_all(&journal, &["a"]).await;
    let batch = sealed(&journal, 1).await;
    let entry = &batch.entries()[0];
    assert_eq!(entry.previous_agent, Personal::new("Dr. Meera"));
    assert_eq!(entry.customer_name, Personal::new("Asha"));
    assert_eq!((journal.tally().remembered, journal.tally().accepted), (2, 1));
}

#[each_engine]
async fn the_unrecognised_are_kept_in_bounded_number_the_oldest_go_first(place: Place) {
    let journal = place.open();
    let mut all = Vec::new();
    for number in 0..1_005 {
        let body = format!("{{\"n\":{number}}}").into_bytes();
        all.push(Box::pin(journal.keep_unrecognised(body, None, NOW)));
    }
    for kept in joined(all).await {
        kept.unwrap();
    }
    assert_eq!(place.rows()["unrecognised"], 1_000);
    assert_eq!(journal.tally().unrecognised, 1_005);
    assert!(place.holds("{\"n\":1004}"));
}

#[each_engine]
async fn what_has_been_quiet_for_longer_than_the_retention_is_forgotten(place: Place) {
    let journal = place.open();
    let retention_ms = LIMITS.rules.retention_ms;
    journal.accept(assigned("old", "Dr. Meera"), NOW).await.map(drop).unwrap();
    accept_all(&journal, &["old"]).await;
    journal.keep_unrecognised(b"{}".to_vec(), Some("NEW_EVENT".into()), NOW).await.unwrap();
    let later = NOW.plus_ms(retention_ms);
    let mut many = Vec::new();
    for number in 0..1_200 {
        let chat = format!("chat {number}");
        many.push(Box::pin(journal.accept(assigned(&chat, "Dr. Meera"), later)));
    }
    for receipt in joined(many).await {
        receipt.map(drop).unwrap();
    }
    journal.sweep(later).await.unwrap();
    assert_eq!(place.rows()["memory"], 1_202, "not older than the retention");
    journal.sweep(later.plus_ms(1)).await.unwrap();
    assert_eq!(place.rows()["memory"], 1_200);
    assert_eq!(place.rows()["unrecognised"], 0);
    journal.sweep(later.plus_ms(retention_ms + 1)).await.unwrap();
    assert_eq!(place.rows()["memory"], 0);
    // A row waits for as long as it takes.
    assert_eq!(journal.tally().pending(), 1);
    let batch = sealed(&journal, 9).await;
    assert_eq!(chats(batch.entries()), ["old"]);
    check_identity(&place, &journal);
}

#[each_engine]
async fn what_is_out_of_the_resend_window_is_not_looked_back_on(place: Place) {
    let journal = place.open();
    let mut many = Vec::new();
    for number in 0..3_000 {
        let event = assigned(&format!("chat {number}"), "Dr. Meera");
        many.push(Box::pin(journal.accept(event, NOW)));
    }
    for receipt in joined(many).await {
        receipt.map(drop).unwrap();
    }
    let recent = || place.rows()["recent"];
    assert_eq!(recent(), 3_000);
    let later = NOW.plus_ms(LIMITS.rules.resend_window_ms + 6_000);
    // An engine forgets in steps, and not with every commit.
    let give_up = Instant::now() + Duration::from_secs(30);
    let mut count = 0;
    while recent() > count {
        assert!(Instant::now() < give_up, "they are not forgotten");
        let event = assigned(&format!("after {count}"), "Dr. Meera");
        journal.accept(event, later).await.map(drop).unwrap();
        count += 1;
    }
    assert_eq!(recent(), count, "the new ones stay");
    let again = journal.accept(assigned("after 0", "Dr. Meera"), later).await.unwrap();
    assert_eq!(again.standing(), Standing::Duplicate);
}

fn heard(happening: Happening, customer: &str, name: &str) -> ChatEvent {
    let from = "+919876543210";
    event(happening, json!({ "dtCustomerId": customer, "from": from, "customerName": name }))
}

/// Two customers of one number; the one heard of last is the first again.
async fn two_of_one_number(place: &Place) -> Journal {
    let journal = place.open();
    for (customer, name) in [("1", "Asha"), ("2", "Rohan"), ("1", "Asha Rao")] {
        drop(journal.accept(heard(Happening::Opened, customer, name), NOW).await.unwrap());
    }
    journal
}

/// By the number alone the one heard of last is meant.
#[each_engine]
async fn a_number_is_whose_it_was_heard_of_with_last(place: Place) {
    let journal = two_of_one_number(&place).await;
    drop(journal.accept(unassigned("c"), NOW).await.unwrap());
    let batch = sealed(&journal, 9).await;
    assert_eq!(batch.entries()[0].customer_name.reveal(), "Asha Rao");
}

/// So with a closing that only the number tells of: who had the chat before it is not named.
#[each_engine]
async fn a_closing_told_by_the_number_is_of_whom_it_was_heard_of_with_last(place: Place) {
    let journal = two_of_one_number(&place).await;
    let (customer, from) = ("1", "+919876543210");
    let known = json!({ "chatId": "c", "dtCustomerId": customer, "customerPhone": from });
    let mut taken = known.clone();
    taken["assignedUserName"] = "Meera".into();
    drop(journal.accept(event(Happening::Assigned, taken), NOW).await.unwrap());
    drop(journal.accept(heard(Happening::Closed, "", ""), NOW).await.unwrap());
    drop(journal.accept(event(Happening::Unassigned, known), NOW).await.unwrap());
    let batch = sealed(&journal, 9).await;
    assert_eq!(batch.entries()[0].previous_agent.reveal(), "");
}

/// Of PostgreSQL alone, which would read all of a table that it has not analysed yet for each group.
#[tokio::test]
async fn for_a_group_of_events_only_what_it_names_is_read() {
    let Some(place) = Place::postgres() else { return };
    let journal = place.open_with(Limits { pending_rows_max: 10_000, ..LIMITS }, one_tab());
    for round in 0..3 {
        let mut many = Vec::new();
        for number in 0..1_000 {
            let chat = format!("chat {round} {number}");
            many.push(Box::pin(journal.accept(unassigned(&chat), NOW)));
        }
        for receipt in joined(many).await {
            receipt.map(drop).unwrap();
        }
    }
    // What a connection has done is told when it ends.
    drop(journal);
    let give_up = Instant::now() + Duration::from_secs(30);
    while place.searches().0 == 0 {
        assert!(Instant::now() < give_up, "nothing was looked for");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(place.searches().1, 0, "rows were looked through");
}
