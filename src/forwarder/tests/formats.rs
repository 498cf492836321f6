//! Formats are for reading only: no row waits for them.

use std::time::{Duration, Instant};

use crate::forwarder::Next;
use crate::forwarder::formats::Formats;
use crate::forwarder::tests::{Bench, TAB};

#[test]
fn formats_are_tried_some_times_more_and_then_left_out_for_an_hour() {
    let (mut formats, now) = (Formats::default(), Instant::now());
    assert!(!formats.refused(false, now) && formats.go_along(now));
    formats.written();
    let refusals = (0..3).map(|_| formats.refused(false, now)).collect::<Vec<_>>();
    assert_eq!(refusals, [false; 3], "what was written since is another story");
    assert!(formats.refused(false, now) && !formats.go_along(now));
    assert!(!formats.go_along(now + Duration::from_secs(3_599)));
    assert!(formats.go_along(now + Duration::from_secs(3_600)));
    let mut formats = Formats::default();
    assert!(formats.refused(true, now) && !formats.go_along(now), "at once where it is for good");
}

#[tokio::test]
async fn rows_deleted_before_a_write_delay_it_by_a_look() {
    let mut bench = Bench::new().await;
    bench.google.staff().delete_rows(TAB, &Vec::from_iter(500..620));
    bench.accept("chat_1").await;
    assert_eq!(bench.steps().await, Next::Idle);
    assert_eq!(bench.chats(), ["chat_1"]);
    assert!(bench.forwarder.formats.go_along(Instant::now()));
}

#[tokio::test]
async fn where_google_takes_no_formats_rows_go_without() {
    let mut bench = Bench::new().await;
    bench.google.refuse_writes_with("repeatCell");
    for chat in ["chat_1", "chat_2"] {
        bench.accept(chat).await;
        assert_eq!(bench.steps().await, Next::Idle);
    }
    assert_eq!(bench.chats(), ["chat_1", "chat_2"]);
}
