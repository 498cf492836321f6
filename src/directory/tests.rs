//! What counts as a name in DoubleTick's answer, and as a list; and at what pace it is asked.

use std::time::{Duration, Instant};

use fake_google::{DoubleTickFault, FakeDoubleTick};
use reqwest::Url;
use secrecy::SecretString;

use crate::chat::conversation::Conversation;
use crate::chat::listing::{Details, Listings, Mark};
use crate::chat::text::Personal;
use crate::directory::{CallFault, Caller, ListFault, name_in};

#[track_caller]
fn check(body: &str, expected: Option<&str>) {
    let name = name_in(body.as_bytes());
    assert_eq!(name.as_ref().map(Personal::reveal), expected, "{body}");
}

#[test]
fn only_a_name_that_says_something_is_a_name() {
    check(
        r#"{"customer":{"id":"customer_1","name":" Rohan Mehta ","tags":[]}}"#,
        Some("Rohan Mehta"),
    );
    check(r#"{"customer":{"name":""}}"#, None);
    check(r#"{"customer":{"name":null}}"#, None);
    check(r#"{"customer":null}"#, None);
    check(r#"{"name":"someone else's"}"#, None);
    check("<html>", None);
    check("", None);
}

const WABA: &str = "919000000000";

fn caller(doubletick: &FakeDoubleTick) -> Caller {
    let key = SecretString::from(doubletick.key());
    Caller::new(&Url::parse(doubletick.url()).unwrap(), &key).unwrap()
}

/// So many patients whom nobody has, the first of them first.
fn arrived(chats: usize) -> FakeDoubleTick {
    let doubletick = FakeDoubleTick::start(&[WABA]);
    for number in 0..chats {
        let phone = format!("9190000{number:05}");
        doubletick.chat_arrives(&format!("chat_{number}"), "Somebody", &phone, WABA);
    }
    doubletick
}

#[tokio::test]
async fn a_list_is_read_to_its_end_page_by_page_a_call_a_second() {
    let doubletick = arrived(130);
    doubletick.group_arrives("group", "A family", WABA);
    doubletick.instagram_chat_arrives("instagram", "Meera", "@the.clinic");
    let (caller, began) = (caller(&doubletick), Instant::now());
    let list = caller.chats(Mark::default()).await.unwrap();
    assert_eq!(list.waiting(), 130, "and what has no number is none");
    // Two pages, and the first once more.
    assert_eq!(doubletick.requests("/chats").len(), 3);
    assert!(began.elapsed() >= Duration::from_secs(2), "{:?}", began.elapsed());
}

/// They are at the end of the list, and then at its beginning.
#[tokio::test]
async fn who_writes_while_the_list_is_read_is_in_it() {
    let doubletick = arrived(130);
    let caller = caller(&doubletick);
    let mut listings = Listings::default();
    for _ in 0..2 {
        doubletick.after_next_list(|doubletick| doubletick.writes_again("chat_0"));
        let list = caller.chats(Mark::default()).await.unwrap();
        assert_eq!(list.waiting(), 130);
        if let Some(pair) = listings.note(list) {
            assert_eq!(pair.waiting().count(), 130);
        }
    }
}

#[tokio::test]
async fn a_list_without_an_end_is_not_believed() {
    let doubletick = arrived(3);
    let caller = caller(&doubletick);
    doubletick.fail_lists(DoubleTickFault::EndlessPage);
    let list = caller.chats_within(Mark::default(), 3).await;
    assert_eq!(list.err(), Some(ListFault::TooLong));
    doubletick.fail_lists(DoubleTickFault::FirstPageAgain);
    let list = caller.chats(Mark::default()).await;
    assert_eq!(list.err(), Some(ListFault::Call(CallFault::Senseless)));
}

/// What DoubleTick says where it lists this one and another that waits.
fn beside_one(chat: &str) -> DoubleTickFault {
    let list = format!(
        r#"{{"paginationOptions":{{"hasMoreChats":false}},"chats":[{{"chatType":"INDIVIDUAL","name":"Meera",
            "phoneNumber":"919000000001","wabaNumber":"919000000000","assignedUserName":null,
            "assignedUserNumber":null,"isDone":false}},{chat}]}}"#
    );
    DoubleTickFault::Says(200, list.leak())
}

#[tokio::test]
async fn a_field_that_is_missing_says_nothing_of_who_has_a_chat() {
    let doubletick = arrived(1);
    let senseless = Err(ListFault::Call(CallFault::Senseless));
    let numbers = r#""phoneNumber":"919000000002","wabaNumber":"919000000000""#;
    let nobody = r#""assignedUserName":null,"assignedUserNumber":null"#;
    for (chat, expected) in [
        (format!("{{{numbers},{nobody},\"isDone\":false}}"), Ok(2)),
        (format!("{{{numbers},\"isDone\":false}}"), senseless),
        (format!("{{{numbers},{nobody}}}"), senseless),
        (format!("{{{nobody},\"isDone\":false,\"chatType\":\"INDIVIDUAL\"}}"), senseless),
        // What is no patient's chat stands nowhere, whatever it says.
        (r#"{"chatType":"WA_GROUP","name":"A family"}"#.to_owned(), Ok(1)),
        (r#"{"chatType":"ANOTHER","isDone":null}"#.to_owned(), Ok(1)),
    ] {
        doubletick.fail_lists(beside_one(&chat));
        let list = caller(&doubletick).chats(Mark::default()).await.map(|list| list.waiting());
        assert_eq!(list, expected, "{chat}");
    }
}

#[tokio::test]
async fn details_say_who_has_a_chat_or_nothing() {
    let doubletick = arrived(1);
    let caller = caller(&doubletick);
    let of = |phone: &str| Conversation::of(phone, WABA).unwrap();
    let first = of("919000000000");
    assert_eq!(caller.details(&first).await, Ok(Details::Nobody));
    doubletick.assign("chat_0", "Asha", "+919800000001");
    let asha = Details::Taken(Personal::new("Asha"), Personal::new("919800000001"));
    assert_eq!(caller.details(&first).await, Ok(asha));
    assert_eq!(caller.details(&of("919999999999")).await, Ok(Details::Unknown));
    for (fault, expected) in [
        (DoubleTickFault::WrongTypes, CallFault::Senseless),
        (DoubleTickFault::ErrorInside, CallFault::Senseless),
        (DoubleTickFault::Cut, CallFault::Senseless),
        (DoubleTickFault::Status(500), CallFault::Status(500)),
        (DoubleTickFault::Status(401), CallFault::Key),
        (DoubleTickFault::Status(429), CallFault::Pause),
        // Not asked any more.
        (DoubleTickFault::Nothing, CallFault::Pause),
    ] {
        doubletick.fail_details(fault);
        assert_eq!(caller.details(&first).await, Err(expected), "{fault:?}");
    }
    // Whoever cannot wait is not held up by that.
    let path = ["customer", "details"];
    let query = [("phoneNumber", "919000000000")];
    assert!(caller.get(&path, &query, Duration::from_secs(5)).await.is_ok());
}
