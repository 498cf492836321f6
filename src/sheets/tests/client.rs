//! The client against a stand-in for Google: what became of a send, and what is where.

use std::time::Duration;

use fake_google::{FakeGoogle, Fault, Refusal};

use crate::sheets::tests::{
    LOG_ONLY, SHADING, TAB, TRACES, client, client_at, entry, marker, provisioned, rows_of,
    token_requests, wanted,
};
use crate::sheets::{
    Client, Delivery, Landing, Layout, Marker, Plan, Refused, Survey, TabLayout, Traces, Trouble,
    probe,
};

/// Applied by this send.
const HERE: Delivery = Delivery::Written(Landing::InPlace);
/// Known by its marker only: by an earlier one.
const BEFORE: Delivery = Delivery::Written(Landing::Unknown);

fn log(layout: &Layout) -> &TabLayout {
    layout.log(TAB).expect("the log is there")
}

fn plan_for(layout: &Layout) -> Plan {
    Plan::new(layout, LOG_ONLY, TRACES).expect("the log is there")
}

/// A tab in shape, and a plan for it.
async fn ready(google: &FakeGoogle) -> (Client, Layout, Plan) {
    let client = client(google).await;
    let layout = provisioned(&client).await;
    let plan = Plan::new(&layout, LOG_ONLY, TRACES).expect("the log is there");
    (client, layout, plan)
}

fn event_ids(google: &FakeGoogle) -> Vec<String> {
    google.column(TAB, "Event ID")
}

#[tokio::test]
async fn a_batch_is_in_the_sheet_once_however_often_it_is_sent() {
    let google = FakeGoogle::start();
    let (client, _, plan) = ready(&google).await;
    let entries = [entry(1), entry(2)];
    for expected in [HERE, BEFORE, BEFORE] {
        assert_eq!(client.deliver(&plan, &marker(), rows_of(&entries)).await, expected);
    }
    assert_eq!(event_ids(&google), ["abc234-1", "abc234-2"]);
    assert_eq!(google.invalid_requests(), Vec::<String>::new());
}

/// A send that meets `fault` may have been applied; the same again settles it.
async fn check_perhaps(fault: Fault) {
    let google = FakeGoogle::start();
    let (client, _, plan) = ready(&google).await;
    google.fail_next_write(fault.clone());
    let first = client.deliver(&plan, &marker(), rows_of(&[entry(1)])).await;
    assert!(matches!(first, Delivery::PerhapsApplied(_)), "{fault:?}: {first:?}");
    // Where the quota is used up nothing leaves for a moment.
    tokio::time::sleep(client.write_wait().unwrap_or_default()).await;
    let second = client.deliver(&plan, &marker(), rows_of(&[entry(1)])).await;
    assert!(matches!(second, Delivery::Written(_)), "{fault:?}: {second:?}");
    assert_eq!(event_ids(&google), ["abc234-1"], "{fault:?}");
}

#[tokio::test]
async fn an_answer_that_tells_nothing_leaves_the_question_open_and_the_next_send_settles_it() {
    for fault in [
        Fault::LoseAnswer,
        Fault::RefuseAfterApplying(500),
        Fault::RefuseAfterApplying(502),
        Fault::RefuseAfterApplying(503),
        Fault::HalfBody,
        Fault::GarbledOk,
        Fault::Reset,
        Fault::Html(502),
        Fault::Html(429),
        Fault::Refuse(Refusal::Internal500),
        Fault::Refuse(Refusal::Unavailable503),
        Fault::Refuse(Refusal::Quota429),
    ] {
        check_perhaps(fault).await;
    }
}

#[tokio::test]
async fn what_google_asks_to_wait_is_heard_within_reason() {
    for (asked, heard) in [(7, 7), (1_000_000, 300)] {
        let google = FakeGoogle::start();
        let (client, _, plan) = ready(&google).await;
        google.fail_next_write(Fault::Refuse(Refusal::Quota429RetryAfter(asked)));
        let Delivery::PerhapsApplied(later) =
            client.deliver(&plan, &marker(), rows_of(&[entry(1)])).await
        else {
            panic!("429 passes by itself")
        };
        assert_eq!(later.after, Some(Duration::from_secs(heard)));
    }
}

#[tokio::test]
async fn an_expired_token_is_renewed_for_the_next_send_and_nothing_was_applied() {
    let google = FakeGoogle::start();
    let (client, _, plan) = ready(&google).await;
    let before = token_requests(&google);
    google.fail_next_write(Fault::Refuse(Refusal::Expired401));
    let first = client.deliver(&plan, &marker(), rows_of(&[entry(1)])).await;
    assert_eq!(first, Delivery::Unauthorised);
    assert_eq!(client.deliver(&plan, &marker(), rows_of(&[entry(1)])).await, HERE);
    assert_eq!(token_requests(&google), before + 1);
}

#[tokio::test]
async fn a_google_that_cannot_be_reached_has_applied_nothing() {
    let google = FakeGoogle::start();
    let (_, _, plan) = ready(&google).await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let client = client_at(&format!("http://{address}"), &google).await;
    let delivery = client.deliver(&plan, &marker(), rows_of(&[entry(1)])).await;
    assert!(matches!(delivery, Delivery::NotApplied(_)), "{delivery:?}");
}

#[tokio::test]
async fn what_a_human_must_mend_is_said_and_goes_through_once_mended() {
    for (refusal, words) in [
        (Refusal::NotShared403, "as Editor"),
        (Refusal::ApiDisabled403, "is not enabled"),
        (Refusal::NotFound404, "SPREADSHEET_ID"),
        (Refusal::Protected400, "protected range"),
        (Refusal::Xlsx400, "Excel"),
        (Refusal::CellsLimit400, "is full"),
    ] {
        let google = FakeGoogle::start();
        let (client, _, plan) = ready(&google).await;
        google.fail_next_write(Fault::Refuse(refusal.clone()));
        match client.deliver(&plan, &marker(), rows_of(&[entry(1)])).await {
            // What is wrong with one tab may leave the others well.
            Delivery::Refused(Refused::Operator(advice) | Refused::Part(_, advice)) => {
                assert!(advice.contains(words), "{refusal:?}: {advice}");
            }
            other => panic!("{refusal:?} is for a human, not {other:?}"),
        }
        assert_eq!(client.deliver(&plan, &marker(), rows_of(&[entry(1)])).await, HERE);
    }
}

#[tokio::test]
async fn a_400_is_not_believed_where_the_marker_says_that_the_batch_is_there() {
    let google = FakeGoogle::start();
    let (client, _, plan) = ready(&google).await;
    google.fail_next_write(Fault::LoseAnswer);
    drop(client.deliver(&plan, &marker(), rows_of(&[entry(1)])).await);
    google.fail_next_write(Fault::Refuse(Refusal::Protected400));
    assert_eq!(client.deliver(&plan, &marker(), rows_of(&[entry(1)])).await, BEFORE);
    assert_eq!(event_ids(&google), ["abc234-1"]);
}

#[tokio::test]
async fn a_400_whose_marker_cannot_be_read_leaves_the_question_open() {
    for unreadable in [
        Fault::Refuse(Refusal::Unavailable503),
        Fault::Refuse(Refusal::Quota429),
        Fault::Html(502),
        Fault::Reset,
        Fault::HalfBody,
        Fault::GarbledOk,
    ] {
        let google = FakeGoogle::start();
        let (client, _, plan) = ready(&google).await;
        google.fail_next_write(Fault::LoseAnswer);
        drop(client.deliver(&plan, &marker(), rows_of(&[entry(1)])).await);
        google.fail_next_write(Fault::Refuse(Refusal::Protected400));
        google.fail_next_read(unreadable.clone());
        let delivery = client.deliver(&plan, &marker(), rows_of(&[entry(1)])).await;
        let Delivery::Undecided(later) = delivery else { panic!("{unreadable:?}: {delivery:?}") };
        tokio::time::sleep(later.after.unwrap_or_default()).await;
        assert_eq!(client.holds_marker(&marker()).await, Ok(true));
        assert_eq!(client.deliver(&plan, &marker(), rows_of(&[entry(1)])).await, BEFORE);
    }
}

#[tokio::test]
async fn a_marker_that_may_not_be_read_leaves_the_batch_as_it_is_and_says_what_to_mend() {
    // The first time the spreadsheet is gone, and then it is not shared any more.
    for (refusal, words) in
        [(Refusal::NotFound404, "SPREADSHEET_ID"), (Refusal::NotShared403, "as Editor")]
    {
        let google = FakeGoogle::start();
        let (client, _, plan) = ready(&google).await;
        // Taken for absent, the marker would let the row be blamed and set aside.
        let too_long = "Your input contains more than the maximum of 50000 characters";
        let too_long = format!(r#"{{"error":{{"code":400,"message":"{too_long}"}}}}"#);
        google.fail_next_write(Fault::Refuse(Refusal::Custom(400, too_long)));
        google.fail_next_read(Fault::Refuse(refusal.clone()));
        google.fail_next_read(Fault::Refuse(refusal));
        match client.deliver(&plan, &marker(), rows_of(&[entry(1)])).await {
            Delivery::Refused(Refused::Operator(advice)) => assert!(advice.contains(words)),
            other => panic!("nothing is known of the marker, and still {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_row_refused_for_its_content_is_named_once_the_marker_is_known_to_be_absent() {
    let google = FakeGoogle::start();
    let (client, _, plan) = ready(&google).await;
    let too_long = "Your input contains more than the maximum of 50000 characters";
    let too_long = format!(r#"{{"error":{{"code":400,"message":"{too_long}"}}}}"#);
    google.fail_next_write(Fault::Refuse(Refusal::Custom(400, too_long)));
    let delivery = client.deliver(&plan, &marker(), rows_of(&[entry(1)])).await;
    assert!(matches!(delivery, Delivery::Refused(Refused::Row(_))), "{delivery:?}");
}

#[tokio::test]
async fn someone_elses_marker_at_our_id_is_not_taken_for_ours() {
    let google = FakeGoogle::start();
    let (client, _, plan) = ready(&google).await;
    let theirs = Marker::new(marker().id, "fedcba9876543210", 1_795_329_000);
    assert_eq!(client.deliver(&plan, &theirs, rows_of(&[entry(1)])).await, HERE);
    let delivery = client.deliver(&plan, &marker(), rows_of(&[entry(2)])).await;
    assert_eq!(delivery, Delivery::Refused(Refused::MarkerForeign));
    assert_eq!(event_ids(&google), ["abc234-1"]);
}

#[tokio::test]
async fn a_deleted_tab_is_gone_and_a_narrowed_one_is_reshaped() {
    let google = FakeGoogle::start();
    let (client, _, plan) = ready(&google).await;
    google.staff().delete_column(TAB, 3);
    let delivery = client.deliver(&plan, &marker(), rows_of(&[entry(1)])).await;
    assert_eq!(delivery, Delivery::Refused(Refused::Reshaped));
    google.staff().delete_tab(TAB);
    let delivery = client.deliver(&plan, &marker(), rows_of(&[entry(1)])).await;
    assert_eq!(delivery, Delivery::Refused(Refused::TabGone));
}

#[tokio::test]
async fn without_a_marker_the_event_ids_tell() {
    let google = FakeGoogle::start();
    let (client, layout, _) = ready(&google).await;
    let traces = Traces { marker: false, ..TRACES };
    let plan = Plan::new(&layout, LOG_ONLY, traces).expect("the log is there");
    assert_eq!(client.holds_any(log(&layout), &[entry(1), entry(2)]).await, Ok(false));
    google.fail_next_write(Fault::LoseAnswer);
    let delivery = client.deliver(&plan, &marker(), rows_of(&[entry(1), entry(2)])).await;
    assert!(matches!(delivery, Delivery::PerhapsApplied(_)));
    assert_eq!(client.holds_any(log(&layout), &[entry(1), entry(2)]).await, Ok(true));
    assert_eq!(client.holds_any(log(&layout), &[entry(3)]).await, Ok(false));
    assert_eq!(google.invalid_requests(), Vec::<String>::new());
}

#[tokio::test]
async fn event_ids_are_found_in_a_tab_of_any_title() {
    let google = FakeGoogle::start();
    let (client, _, plan) = ready(&google).await;
    assert_eq!(client.deliver(&plan, &marker(), rows_of(&[entry(1)])).await, HERE);
    for title in ["Dr. O'Neil's list", "a/b?c#d%20 & 'x'", "..", "हिन्दी"] {
        let before = google.tabs().into_iter().find(|tab| tab != "Sheet1").unwrap();
        google.staff().rename_tab(&before, title);
        let layout = provisioned(&client).await;
        assert_eq!(log(&layout).title, title);
        assert_eq!(client.holds_any(log(&layout), &[entry(1)]).await, Ok(true), "{title}");
    }
}

#[tokio::test]
async fn a_deleted_event_id_column_is_for_the_operator_where_it_must_tell() {
    let google = FakeGoogle::start();
    let (client, layout, _) = ready(&google).await;
    google.staff().delete_column(TAB, log(&layout).columns.len() - 1);
    let layout = provisioned(&client).await;
    let trouble = client.holds_any(log(&layout), &[entry(1)]).await;
    assert!(matches!(trouble, Err(Trouble::Operator(_))), "{trouble:?}");
}

#[tokio::test]
async fn a_new_tab_is_made_once_and_found_again() {
    let google = FakeGoogle::start();
    let client = client(&google).await;
    let Ok(Survey::Setup(first)) = client.survey(&wanted(), SHADING).await else {
        panic!("nothing there")
    };
    let Ok(Survey::Setup(second)) = client.survey(&wanted(), SHADING).await else {
        panic!("nothing there")
    };
    google.fail_next_write(Fault::LoseAnswer);
    let lost = client.set_up(first).await;
    assert!(matches!(lost, Err(Trouble::Passing(_))), "{lost:?}");
    assert_eq!(client.set_up(second).await, Err(Trouble::Taken));
    let layout = provisioned(&client).await;
    assert_eq!((log(&layout).sheet_id, log(&layout).columns.len()), (777, 10));
    assert_eq!(google.tabs(), ["Sheet1", TAB]);
    assert_eq!(google.invalid_requests(), Vec::<String>::new());
}

#[tokio::test]
async fn a_tab_that_is_there_is_bound_and_kept_as_people_made_it() {
    let google = FakeGoogle::start();
    google.staff().add_tab(TAB, &[&["Notes", "Customer phone", "Agent phone"], &["old", "12345"]]);
    let client = client(&google).await;
    let layout = provisioned(&client).await;
    let delivery = client.deliver(&plan_for(&layout), &marker(), rows_of(&[entry(1)])).await;
    assert_eq!(delivery, HERE);
    assert_eq!(google.column(TAB, "Notes"), ["old", ""]);
    assert_eq!(google.column(TAB, "Customer phone"), ["12345", "+919876543210"]);
    assert_eq!(event_ids(&google), ["", "abc234-1"]);
}

#[tokio::test]
async fn a_tab_about_something_else_is_not_touched() {
    let google = FakeGoogle::start();
    google.staff().add_tab(TAB, &[&["Invoice", "Amount"], &["1", "2"]]);
    let client = client(&google).await;
    let trouble = client.survey(&wanted(), SHADING).await.err();
    assert!(matches!(trouble, Some(Trouble::Operator(_))), "{trouble:?}");
    assert_eq!(google.writes(), 0);
}

#[tokio::test]
async fn what_people_move_rename_and_insert_is_followed() {
    let google = FakeGoogle::start();
    let (client, _, _) = ready(&google).await;
    google.staff().insert_column(TAB, 2, "Doctor");
    google.staff().rename_header(TAB, 0, "Since");
    google.staff().move_column(TAB, 9, 0);
    google.staff().rename_tab(TAB, "Waiting");
    let layout = provisioned(&client).await;
    let delivery = client.deliver(&plan_for(&layout), &marker(), rows_of(&[entry(1)])).await;
    assert_eq!(delivery, HERE);
    assert_eq!(google.column("Waiting", "Event ID"), ["abc234-1"]);
    assert_eq!(google.column("Waiting", "Doctor"), [""]);
    assert_eq!(google.column("Waiting", "Since"), ["2026-11-22 12:00:00"]);
    assert_eq!(google.column("Waiting", "Customer phone"), ["+919876543210"]);
    assert_eq!(google.tabs(), ["Sheet1", "Waiting"]);
}

#[tokio::test]
async fn columns_that_were_all_deleted_come_back() {
    let google = FakeGoogle::start();
    let (client, layout, _) = ready(&google).await;
    // A tab cannot lose its last column, so an empty one stays.
    google.staff().insert_column(TAB, log(&layout).columns.len(), "");
    for _ in &log(&layout).columns {
        google.staff().delete_column(TAB, 0);
    }
    let layout = provisioned(&client).await;
    assert_eq!(log(&layout).columns.len(), 10);
    let delivery = client.deliver(&plan_for(&layout), &marker(), rows_of(&[entry(1)])).await;
    assert_eq!(delivery, HERE);
    assert_eq!(event_ids(&google), ["abc234-1"]);
    assert_eq!(google.invalid_requests(), Vec::<String>::new());
}

#[tokio::test]
async fn markers_that_cannot_matter_are_found_and_deleted() {
    let google = FakeGoogle::start();
    let (client, layout, plan) = ready(&google).await;
    let sealed_at_s = 1_795_329_000;
    for id in 1..=70 {
        let marker = Marker::new(id, "0123456789abcdef", sealed_at_s + i64::from(id));
        assert_eq!(client.deliver(&plan, &marker, rows_of(&[])).await, HERE);
    }
    let ours = 1..71;
    assert_eq!(client.prunable(&ours, &[], sealed_at_s + 3_600).await, Ok(Vec::new()));
    let mut gone = client.prunable(&ours, &[], sealed_at_s + 3 * 86_400).await.unwrap();
    gone.sort_unstable();
    assert_eq!(gone, [1, 2, 3, 4, 5, 6]);
    // Under these something may still be sent, by a process that is gone.
    let mut less = client.prunable(&ours, &[2, 5], sealed_at_s + 3 * 86_400).await.unwrap();
    less.sort_unstable();
    assert_eq!(less, [1, 3, 4, 6]);
    assert_eq!(client.prune(&gone).await, Ok(()));
    assert_eq!(google.markers("dts.batch").len(), 64);
    assert_eq!(google.markers("dts.column").len(), log(&layout).columns.len());
    assert_eq!(google.invalid_requests(), Vec::<String>::new());
}

#[tokio::test]
async fn trying_whether_we_may_edit_leaves_no_trace() {
    let google = FakeGoogle::start();
    let client = client(&google).await;
    assert_eq!(client.try_edit(4_711).await, Ok(()));
    assert_eq!(google.markers("dts.check"), []);
    google.fail_next_write(Fault::Refuse(Refusal::NotShared403));
    assert!(matches!(client.try_edit(4_711).await, Err(Trouble::Operator(_))));
}

#[tokio::test]
async fn the_live_check_finds_every_fact_that_matters_to_hold_and_removes_its_tab() {
    let google = FakeGoogle::start();
    let client = client(&google).await;
    let tabs = google.tabs();
    let findings = probe::run(&client).await.unwrap();
    let failed = findings.iter().filter(|finding| !finding.holds);
    let failed: Vec<_> = failed.map(|finding| (finding.name, finding.matters)).collect();
    // What a table is given is dropped, and rows that are added are bare.
    assert_eq!(failed, [("append_into_table", false), ("dropdown_follows", false)]);
    assert_eq!(findings.len(), 12);
    assert_eq!(google.tabs(), tabs);
    assert_eq!(google.markers("dts.batch"), []);
    assert_eq!(google.invalid_requests(), Vec::<String>::new());
}

#[tokio::test]
async fn the_live_check_removes_its_tab_also_when_it_breaks_off() {
    let google = FakeGoogle::start();
    let client = client(&google).await;
    google.fail_next_read(Fault::Reset);
    assert!(probe::run(&client).await.is_err());
    assert_eq!(google.tabs(), ["Sheet1"]);
}
