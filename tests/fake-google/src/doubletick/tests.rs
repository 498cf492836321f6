//! Through the door: the list page by page, what is known of a customer, and what webhooks are sent.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use serde_json::{Value, json};

use crate::doubletick::events::call;
use crate::doubletick::{DoubleTickFault, FakeDoubleTick, KEY};

const CLINIC: &str = "919000000000";
const BRANCH: &str = "919000000001";
const EVENTS: [&str; 4] =
    ["CHAT_ASSIGNED_TO_AGENT", "CHAT_UNASSIGNED", "CLOSE_CONVERSATION", "CONVERSATION_OPENED"];

fn get(doubletick: &FakeDoubleTick, path: &str) -> (u16, Value) {
    let url = format!("{}{path}", doubletick.url());
    let (status, body) = call("GET", &url, Some(KEY), "").expect("it answers");
    (status, serde_json::from_str(&body).expect("it answers in JSON"))
}

/// Of so many patients: `chat_0` first.
fn account(chats: usize) -> FakeDoubleTick {
    let doubletick = FakeDoubleTick::start(&[CLINIC, BRANCH]);
    for n in 0..chats {
        doubletick.chat_arrives(&format!("chat_{n}"), &format!("Patient {n}"), &phone(n), CLINIC);
    }
    doubletick
}

fn phone(n: usize) -> String {
    format!("+91911122{n:04}")
}

fn names(page: &Value) -> Vec<&str> {
    let chats = page["chats"].as_array().expect("a page has chats");
    chats.iter().map(|chat| chat["name"].as_str().expect("it has a name")).collect()
}

/// The list to its end, page by page.
fn whole(doubletick: &FakeDoubleTick, query: &str) -> Vec<String> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let (status, page) = get(doubletick, &format!("/chats?{query}{cursor}"));
        assert_eq!(status, 200, "{page}");
        all.extend(names(&page).into_iter().map(str::to_owned));
        let next = &page["paginationOptions"];
        if next["hasMoreChats"] == false {
            assert_eq!(
                (&next["nextChatId"], &next["nextChatTimestamp"]),
                (&Value::Null, &Value::Null)
            );
            return all;
        }
        let (id, time) = (next["nextChatId"].as_str().unwrap(), &next["nextChatTimestamp"]);
        cursor = format!("&nextChatId={id}&nextChatTimestamp={time}");
    }
}

#[test]
fn the_list_is_newest_first_ten_at_a_time_and_has_no_ids() {
    let doubletick = account(23);
    let (_, page) = get(&doubletick, "/chats");
    assert_eq!(page["chats"].as_array().unwrap().len(), 10);
    let text = page["chats"].to_string();
    assert!(!text.contains("chat_") && !text.contains("customer_"), "{text}");
    let newest_first: Vec<String> = (0..23).rev().map(|n| format!("Patient {n}")).collect();
    for limit in [1, 7, 23, 100] {
        assert_eq!(whole(&doubletick, &format!("limit={limit}")), newest_first);
    }
    for wrong in ["limit=0", "limit=101", "limit=ten", "status=odd", "nextChatId=chat_1"] {
        assert_eq!(get(&doubletick, &format!("/chats?{wrong}")).0, 400, "{wrong}");
    }
    let stranger = call("GET", &format!("{}/chats", doubletick.url()), Some("another"), "");
    assert_eq!(stranger.unwrap().0, 401);
}

#[test]
fn the_list_is_filtered_by_agent_status_and_number() {
    let doubletick = account(5);
    doubletick.chat_arrives("chat_5", "Patient 5", &phone(5), BRANCH);
    doubletick.assign("chat_0", "Asha Nair", "+919800000001");
    doubletick.assign("chat_1", "John Doe", "+919800000002");
    doubletick.close("chat_2");
    let check = |query: &str, expected: &[&str]| {
        let found: BTreeSet<String> = whole(&doubletick, query).into_iter().collect();
        let expected = expected.iter().map(|n| format!("Patient {n}")).collect();
        assert_eq!(found, expected, "{query}");
    };
    check("assignedUserPhone=null", &["2", "3", "4", "5"]);
    check("assignedUserPhone=null&status=unresolved", &["3", "4", "5"]);
    check("assignedUserPhone=null&wabaNumbers=919000000001", &["5"]);
    check("wabaNumbers=919000000001,919000000000&status=all", &["0", "1", "2", "3", "4", "5"]);
    check("assignedUserPhone=%2B919800000001", &["0"]);
    check("assignedUserPhone=919800000002", &["1"]);
    check("status=done", &["2"]);
    assert_eq!(doubletick.waiting(), ["chat_3", "chat_4", "chat_5"]);
    doubletick.writes_again("chat_2");
    check("status=done", &[]);
    doubletick.fail_lists(DoubleTickFault::FiltersIgnored);
    check("status=done", &["0", "1", "2", "3", "4", "5"]);
}

#[test]
fn an_item_says_who_has_the_chat_and_whose_it_is() {
    let doubletick = account(1);
    doubletick.group_arrives("group", "Diabetes class", CLINIC);
    doubletick.instagram_chat_arrives("insta", "zoe", "the.clinic");
    doubletick.assign("chat_0", "Asha Nair", "+919800000001");
    let (_, page) = get(&doubletick, "/chats");
    let item = |name: &str| page["chats"].as_array().unwrap().iter().find(|it| it["name"] == name);
    let patient = item("Patient 0").unwrap();
    let told = ["phoneNumber", "wabaNumber", "assignedUserName", "assignedUserNumber", "chatType"]
        .map(|field| patient[field].as_str().unwrap());
    assert_eq!(told, ["919111220000", CLINIC, "Asha Nair", "919800000001", "INDIVIDUAL"]);
    assert_eq!((&patient["isDone"], &patient["unreadCount"]), (&json!(false), &json!(0)));
    assert!(patient["chatUpdatedTime"].as_i64() > patient["lastMessageTime"].as_i64());
    let (group, insta) = (item("Diabetes class").unwrap(), item("zoe").unwrap());
    assert_eq!((&group["chatType"], &group["phoneNumber"]), (&json!("WA_GROUP"), &Value::Null));
    assert_eq!(
        (&insta["chatType"], &insta["phoneNumber"], &insta["wabaNumber"], &insta["providerType"]),
        (&json!("INDIVIDUAL"), &Value::Null, &json!("the.clinic"), &json!("INSTAGRAM"))
    );
    assert_eq!((&group["assignedUserName"], &group["providerType"]), (&Value::Null, &Value::Null));
}

/// Who reads page by page sees no moment of the account.
#[test]
fn a_chat_that_changes_while_it_is_paged_is_on_no_page() {
    let doubletick = account(4);
    doubletick.after_next_list(|doubletick| doubletick.writes_again("chat_0"));
    assert_eq!(whole(&doubletick, "limit=2"), ["Patient 3", "Patient 2", "Patient 1"]);
    assert_eq!(whole(&doubletick, "limit=2")[0], "Patient 0", "it is at the top");
}

#[test]
fn each_fault_of_the_list_is_seen_once_and_a_standing_one_until_healed() {
    use DoubleTickFault::{
        Cut, EndlessPage, ErrorInside, FirstPageAgain, Nothing, Says, Slow, Status, WrongTypes,
    };
    let doubletick = account(3);
    let faults = [Status(429), Says(200, "<html>"), ErrorInside, WrongTypes, Cut];
    doubletick.fail_next_lists(&faults);
    doubletick.fail_next_lists(&[Nothing, Slow(Duration::from_millis(50)), FirstPageAgain]);
    let url = format!("{}/chats?limit=2", doubletick.url());
    let list = || call("GET", &url, Some(KEY), "").unwrap();
    assert_eq!(list().0, 429);
    assert_eq!(list(), (200, "<html>".to_owned()));
    assert!(list().1.contains("\"statusCode\":400"));
    let page: Value = serde_json::from_str(&list().1).unwrap();
    assert!(page["chats"][0]["phoneNumber"].is_number());
    assert!(serde_json::from_str::<Value>(&list().1).is_err());
    assert!(list().1.contains("Patient 2"));
    let began = std::time::Instant::now();
    assert!(list().1.contains("Patient 2") && began.elapsed() >= Duration::from_millis(50));
    let again = get(&doubletick, "/chats?limit=2&nextChatId=chat_1&nextChatTimestamp=1").1;
    assert_eq!(names(&again), ["Patient 2", "Patient 1"]);
    assert_eq!(whole(&doubletick, "limit=2").len(), 3, "the queue is empty");
    doubletick.fail_lists(EndlessPage);
    let mut seen = BTreeSet::new();
    for _ in 0..50 {
        let page: Value = serde_json::from_str(&list().1).unwrap();
        assert_eq!(page["paginationOptions"]["hasMoreChats"], true);
        let phones =
            page["chats"].as_array().unwrap().iter().map(|it| it["phoneNumber"].to_string());
        seen.extend(phones);
    }
    assert_eq!(seen.len(), 500, "each page has others");
    doubletick.heal();
    assert_eq!(whole(&doubletick, "limit=2").len(), 3);
}

#[test]
fn a_customer_is_known_by_id_or_number_with_who_has_the_chat() {
    let doubletick = account(2);
    doubletick.chat_arrives("second", "Patient 0", &phone(0), BRANCH);
    doubletick.assign("second", "Asha Nair", "+919800000001");
    let (status, by_id) = get(&doubletick, "/customer/details?customerId=customer_chat_1");
    assert_eq!((status, &by_id["customer"]["name"]), (201, &json!("Patient 1")));
    assert_eq!(by_id["customer"]["assignedToUser"], Value::Null);
    for number in ["919111220000", "%2B919111220000"] {
        let path = format!("/customer/details?phoneNumber={number}");
        let customer = &get(&doubletick, &path).1["customer"];
        assert_eq!(
            (&customer["assignedToUser"], &customer["assignedUserNumber"], &customer["phone"]),
            (&json!("Asha Nair"), &json!("919800000001"), &json!("+919111220000"))
        );
        let there = &get(&doubletick, &format!("{path}&wabaNumber={CLINIC}")).1["customer"];
        assert_eq!((&there["assignedToUser"], &there["tags"]), (&Value::Null, &json!([])));
    }
    assert_eq!(get(&doubletick, "/customer/details?customerId=customer_7").0, 404);
    assert_eq!(get(&doubletick, "/customer/details").0, 400);
    doubletick.fail_details(DoubleTickFault::Status(500));
    assert_eq!(get(&doubletick, "/customer/details?customerId=customer_chat_1").0, 500);
    assert_eq!(get(&doubletick, "/chats").0, 200, "others have faults of their own");
    assert_eq!(doubletick.requests("/customer/details").len(), 8);
}

/// A receiver that answers all with this status, and what came to it.
fn receiver(status: u16) -> (String, Receiver<(String, Value)>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let url = format!("http://{}/hook", listener.local_addr().expect("it is bound"));
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut request = Vec::new();
            let mut byte = [0];
            while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|n| n > 0) {
                request.push(byte[0]);
            }
            let head = String::from_utf8_lossy(&request).to_lowercase();
            let length = head.split("content-length: ").nth(1).and_then(|it| it.lines().next());
            let mut body = vec![0; length.and_then(|it| it.parse().ok()).unwrap_or(0)];
            stream.read_exact(&mut body).expect("the body is whole");
            let answer =
                format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            drop(stream.write_all(answer.as_bytes()));
            let body = serde_json::from_slice(&body).expect("an event is JSON");
            if tell.send((head, body)).is_err() {
                return;
            }
        }
    });
    (url, told)
}

#[test]
fn what_people_do_is_sent_as_documented_to_who_is_registered_for_it() {
    let doubletick = FakeDoubleTick::start(&[CLINIC, BRANCH]);
    let (url, told) = receiver(200);
    doubletick.add_webhook(&url, "All of the clinic", &EVENTS, &[CLINIC]);
    doubletick.chat_arrives("chat_1", "Rohan Mehta", "+919111222333", CLINIC);
    doubletick.chat_arrives("elsewhere", "Nobody", "+919111222334", BRANCH);
    doubletick.assign("chat_1", "Asha Nair", "+919800000001");
    doubletick.unassign("chat_1");
    doubletick.close("chat_1");
    doubletick.writes_again("chat_1");
    doubletick.writes_again("chat_1");
    let (head, opened) = told.recv().unwrap();
    assert!(!head.contains("authorization"), "{head}");
    let conversation = |flag: &str| {
        let mut body = json!({
            "customerName": "Rohan Mehta", "customerPhone": "+919111222333", "from": "+919111222333",
            "to": "+919000000000", "dtCustomerId": "customer_chat_1",
        });
        body[flag] = json!(true);
        body
    };
    assert_eq!(opened, conversation("conversationOpened"));
    let assigned = told.recv().unwrap().1;
    assert_eq!(
        (&assigned["assignedUserName"], &assigned["assignedUserPhone"], &assigned["chatId"]),
        (&json!("Asha Nair"), &json!("+919800000001"), &json!("chat_1"))
    );
    assert!(assigned.get("wabaNumber").is_none() && assigned["message"]["text"].is_string());
    let unassigned = json!({
        "chatId": "chat_1", "customerPhone": "+919111222333", "wabaNumber": "+919000000000",
        "dtCustomerId": "customer_chat_1",
    });
    assert_eq!(told.recv().unwrap().1, unassigned);
    assert_eq!(told.recv().unwrap().1, conversation("closeConversation"));
    assert_eq!(told.recv().unwrap().1, conversation("conversationOpened"));
    assert!(told.try_recv().is_err(), "what is open already is not opened");
}

#[test]
fn a_program_unassigns_a_chat_and_the_event_is_sent() {
    let doubletick = account(1);
    let (hook, told) = receiver(200);
    doubletick.add_webhook(&hook, "All", &EVENTS, &[CLINIC]);
    let unassign = || {
        let url = format!("{}/team-member/unassign", doubletick.url());
        let body = json!({ "customerPhoneNumber": phone(0) }).to_string();
        call("POST", &url, Some(KEY), &body).unwrap().0
    };
    assert_eq!(unassign(), 400, "nobody has it");
    doubletick.assign("chat_0", "Asha Nair", "+919800000001");
    told.recv().unwrap();
    assert_eq!(unassign(), 201);
    assert_eq!(told.recv().unwrap().1["chatId"], "chat_0");
    assert_eq!(doubletick.waiting(), ["chat_0"]);
    doubletick.assign("chat_0", "Asha Nair", "+919800000001");
    told.recv().unwrap();
    doubletick.unassign_dated("chat_0", 10);
    let said = told.recv().unwrap().1["timestamp"].as_i64().unwrap();
    let age_ms = jiff::Timestamp::now().as_millisecond() - said;
    assert!((600_000..660_000).contains(&age_ms), "{age_ms}");
}

#[test]
fn events_are_tried_once_and_may_be_swallowed_or_come_late() {
    let doubletick = account(2);
    let (refusing, refused) = receiver(503);
    doubletick.add_webhook(&refusing, "Refusing", &EVENTS, &[CLINIC]);
    doubletick.add_webhook("http://127.0.0.1:9/gone", "Gone", &EVENTS, &[CLINIC]);
    doubletick.assign("chat_0", "Asha Nair", "+919800000001");
    refused.recv().unwrap();
    doubletick.swallow_events();
    doubletick.assign("chat_1", "Asha Nair", "+919800000001");
    doubletick.hold_events();
    doubletick.unassign("chat_0");
    doubletick.unassign("chat_1");
    assert_eq!(doubletick.waiting(), ["chat_0", "chat_1"], "the list knows at once");
    assert!(refused.try_recv().is_err());
    doubletick.deliver_events();
    assert_eq!(refused.recv().unwrap().1["chatId"], "chat_0");
    assert_eq!(refused.recv().unwrap().1["chatId"], "chat_1");
    assert!(refused.try_recv().is_err(), "nothing comes twice");
    doubletick.group_arrives("group", "Diabetes class", CLINIC);
    doubletick.assign("group", "Asha Nair", "+919800000001");
    doubletick.unassign("group");
    refused.recv().unwrap();
    let group = refused.recv().unwrap().1;
    assert!(group.get("customerPhone").is_none() && group["chatId"] == "group", "{group}");
}
