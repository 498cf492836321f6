//! Bytes to JSON: every dress that is read, and what is said of those that are not.

use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::test::TestRequest;
use actix_web::web::Bytes;
use serde_json::{Value, json};

use crate::http::tests::{House, multipart};
use crate::http::webhook::body::{Fault, parse};

/// What a body of this content type is read as.
async fn read(content_type: &str, body: impl Into<Bytes>) -> Result<Value, Fault> {
    let mut request = TestRequest::post();
    if !content_type.is_empty() {
        request = request.insert_header((CONTENT_TYPE, content_type));
    }
    parse(&request.to_http_request(), body.into()).await
}

#[actix_web::test]
async fn json_is_read_under_any_content_type() {
    let types = [
        "",
        "application/json",
        "application/json; charset=utf-8",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "nonsense",
    ];
    for content_type in types {
        for body in
            ["{\"chatId\":\"c\"}", " \r\n{ \"chatId\": \"c\" }\n", "\u{FEFF}{\"chatId\":\"c\"}"]
        {
            assert_eq!(
                read(content_type, body).await,
                Ok(json!({ "chatId": "c" })),
                "{content_type}"
            );
        }
        assert_eq!(read(content_type, "[{}]").await, Ok(json!([{}])), "{content_type}");
    }
}

#[actix_web::test]
async fn a_urlencoded_form_is_read() {
    let body = "chatId=c&customerName=Rohan+%C3%A9+%26&customerPhone=%2B91&empty=&contact[name]=R";
    for content_type in
        ["application/x-www-form-urlencoded", "Application/X-WWW-Form-Urlencoded; charset=UTF-8"]
    {
        let expected = json!({
            "chatId": "c", "customerName": "Rohan é &", "customerPhone": "+91", "empty": "",
            "contact": { "name": "R" },
        });
        assert_eq!(read(content_type, body).await, Ok(expected));
    }
}

#[actix_web::test]
async fn a_multipart_form_is_read() {
    let body =
        multipart(&[("chatId", "c"), ("customerName", "Rohan\r\né"), ("contact[name]", "R")]);
    let expected =
        json!({ "chatId": "c", "customerName": "Rohan\r\né", "contact": { "name": "R" } });
    assert_eq!(read("multipart/form-data; boundary=edge", body).await, Ok(expected));
}

#[actix_web::test]
async fn what_is_neither_json_nor_a_form_says_what_is_wrong() {
    for content_type in ["", "application/json"] {
        for blank in ["", "  \n", "\u{FEFF}"] {
            assert_eq!(read(content_type, blank).await, Err(Fault::Neither), "{blank:?}");
        }
    }
    let fault = read("application/json", "{\"chatId\":\n oops").await;
    assert_eq!(fault, Err(Fault::NotJson { line: 2, column: 2 }));
    assert!(matches!(read("", "chatId=c").await, Err(Fault::NotJson { .. })));
    assert!(matches!(read("", "{} {}").await, Err(Fault::NotJson { .. })));
    assert_eq!(read("", &b"{\"chatId\":\"\xff\"}"[..]).await, Err(Fault::NotUtf8));
    let form = "application/x-www-form-urlencoded";
    assert_eq!(read(form, &b"chatId=\xff"[..]).await, Err(Fault::NotUtf8));
}

#[actix_web::test]
async fn a_multipart_form_that_is_damaged_is_refused() {
    let whole = multipart(&[("chatId", "c")]);
    let cut = whole.replace("--edge--\r\n", "");
    assert_eq!(read("multipart/form-data; boundary=edge", cut).await, Err(Fault::BadForm));
    assert_eq!(read("multipart/form-data", whole.clone()).await, Err(Fault::BadForm));
    assert_eq!(read("multipart/form-data; boundary=other", whole).await, Err(Fault::BadForm));
    assert_eq!(read("multipart/form-data; boundary=edge", "").await, Err(Fault::BadForm));
}

#[actix_web::test]
async fn nesting_has_a_bound() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(read("", nested(100)).await.is_ok());
    for depth in [200, 30_000] {
        assert!(matches!(read("", nested(depth)).await, Err(Fault::NotJson { .. })), "{depth}");
    }
    let house = House::new();
    let text = json!({ "data": nested(30_000) }).to_string();
    assert_eq!(house.send(text).await.status, StatusCode::OK, "as text it stays text");
}

#[actix_web::test]
async fn a_text_cut_inside_an_emoji_does_not_cost_the_event() {
    let cut = r#"{"chatId":"c","a":"Asha \ud83d","b":"\udc00x","c":"\ud83d\ude00","d":"\\ud83d"}"#;
    let expected = json!({
        "chatId": "c", "a": "Asha \u{FFFD}", "b": "\u{FFFD}x", "c": "\u{1F600}", "d": "\\ud83d",
    });
    assert_eq!(read("application/json", cut).await, Ok(expected));
    let half = r#"{"chatId":"c","a":"\ud83d\n"}"#;
    let expected = json!({ "chatId": "c", "a": "\u{FFFD}\n" });
    assert_eq!(read("application/json", half).await, Ok(expected));
    let raw = "{\"chatId\":\"c\",\"a\":\"two\nlines\"}";
    let expected = json!({ "chatId": "c", "a": "two lines" });
    assert_eq!(read("application/json", raw).await, Ok(expected));
    for broken in [r#"{"a":"\"#, r#"{"a":"\u"#, r#"{"a":"\ud8"#, r#"{"a":"\uéé"}"#] {
        assert!(read("application/json", broken).await.is_err(), "{broken}");
    }
}

/// They used to be called something that is not UTF-8, which helps nobody.
#[tokio::test]
async fn a_compressed_body_is_refused_with_what_to_do() {
    assert_eq!(read("application/json", &b"\x1f\x8b\x08\0\0\0"[..]).await, Err(Fault::Compressed));
}
