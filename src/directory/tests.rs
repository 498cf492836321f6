//! What counts as a name in DoubleTick's answer.

use crate::directory::name_in;

#[track_caller]
fn check(body: &str, expected: Option<&str>) {
    let name = name_in(body.as_bytes());
    assert_eq!(name.as_ref().map(crate::chat::text::Personal::reveal), expected, "{body}");
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
