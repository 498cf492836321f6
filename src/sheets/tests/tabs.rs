//! Finding, making, binding and upgrading the tabs beside the stand-in, whatever people have there.

use fake_google::FakeGoogle;
use serde_json::{Value, json};

use crate::sheets::column::Column;
use crate::sheets::tests::{
    ALL, BOARD, HANDOVERS, LOG_ONLY, SHADING, TAB, TRACES, all_wanted, board, client, entry,
    handover, in_shape, marker, rows_of, wanted, wanted_tab,
};
use crate::sheets::{
    Client, Content, Delivery, Landing, Plan, Purpose, Refused, Survey, Trouble, Wanted,
};

pub(super) const HERE: Delivery = Delivery::Written(Landing::InPlace);

/// Applies requests as someone else who may use the API.
pub(super) async fn apply(client: &Client, requests: Value) {
    let body = json!({ "requests": requests }).to_string().into_bytes();
    let answer = client.write("test", body).await.unwrap();
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
}

#[tokio::test]
async fn all_tabs_are_made_and_found_again() {
    let google = FakeGoogle::start();
    let client = client(&google).await;
    let layout = in_shape(&client, &all_wanted()).await;
    let mut tabs = google.tabs();
    tabs.sort();
    assert_eq!(tabs, [HANDOVERS, "Sheet1", TAB, BOARD]);
    for purpose in [Purpose::Log, Purpose::Handovers, Purpose::Board] {
        let tab = layout.tab(purpose).unwrap();
        let columns: Vec<Column> = tab.columns.iter().map(|(column, _)| *column).collect();
        assert_eq!(columns, purpose.columns());
        assert_eq!(tab.grid.column_count as usize, columns.len(), "only the columns we use");
    }
    assert_eq!(layout.left_out, Vec::<String>::new());
    let writes = google.writes();
    assert_eq!(in_shape(&client, &all_wanted()).await, layout);
    assert_eq!(google.writes(), writes);
    assert_eq!(google.invalid_requests(), Vec::<String>::new());
}

#[tokio::test]
async fn the_time_zone_is_the_spreadsheets_own_unless_another_is_set() {
    let google = FakeGoogle::start();
    let client = client(&google).await;
    let own = in_shape(&client, &wanted()).await;
    assert_eq!((own.time_zone.as_str(), own.own_zone.as_str()), ("Asia/Kolkata", "Asia/Kolkata"));
    let wanted = Wanted { time_zone: Some("Europe/Paris".into()), ..wanted() };
    let set = in_shape(&client, &wanted).await;
    assert_eq!((set.time_zone.as_str(), set.own_zone.as_str()), ("Europe/Paris", "Asia/Kolkata"));
}

#[tokio::test]
async fn a_batch_of_all_kinds_is_there_once_and_valid() {
    let google = FakeGoogle::start();
    let client = client(&google).await;
    let layout = in_shape(&client, &all_wanted()).await;
    let plan = Plan::new(&layout, ALL, TRACES).unwrap();
    let (log, handovers, board) = ([entry(1)], [handover(2, 5, "Bala")], board(&[70, 10]));
    let content = Content { log: &log, handovers: &handovers, board: Some(&board) };
    assert_eq!(client.deliver(&plan, &marker(), content).await, HERE);
    let again = client.deliver(&plan, &marker(), content).await;
    assert_eq!(again, Delivery::Written(Landing::Unknown));
    assert_eq!(google.column(TAB, "Event ID"), ["abc234-1"]);
    assert_eq!(google.column(TAB, "Status"), ["Waiting"]);
    let status = google.cell(TAB, 1, 6);
    assert_eq!(status.pointer("/dataValidation/condition/type"), Some(&json!("ONE_OF_LIST")));
    assert_eq!(google.column(HANDOVERS, "Taken by"), ["Bala"]);
    assert_eq!(google.column(HANDOVERS, "Waited (minutes)"), ["5"]);
    assert_eq!(google.rows(BOARD).len(), 4);
    assert_eq!(google.invalid_requests(), Vec::<String>::new());
}

#[tokio::test]
async fn where_the_boards_title_is_taken_the_log_goes_on_without_it() {
    let google = FakeGoogle::start();
    google.staff().add_tab(BOARD, &[&["Our list"], &["Invoice", "Amount"], &["1", "2"]]);
    let client = client(&google).await;
    let before = google.rows(BOARD);
    let layout = in_shape(&client, &all_wanted()).await;
    assert_eq!(layout.tab(Purpose::Board), None);
    assert!(layout.log(TAB).is_some() && layout.tab(Purpose::Handovers).is_some());
    let [sentence] = &layout.left_out[..] else { panic!("{:?}", layout.left_out) };
    assert!(sentence.contains(BOARD) && sentence.contains("BOARD_NAME"), "{sentence}");
    assert_eq!(google.rows(BOARD), before);
}

/// The board is written as a whole, so nothing of people's may stand where it is bound: their second
/// row being empty, or having a word of ours, does not make their tab ours.
#[tokio::test]
async fn a_tab_that_has_anything_in_it_never_becomes_the_board() {
    let theirs: [&[&[&str]]; 3] = [
        &[&["Night shift"], &[], &["Rohan", "call back at 9"]],
        &[&[], &[], &["only", "below"]],
        &[&["Night shift"], &["Customer name", "Remark"], &["Rohan", "call back at 9"]],
    ];
    for rows in theirs {
        let google = FakeGoogle::start();
        google.staff().add_tab(BOARD, rows);
        let client = client(&google).await;
        let layout = in_shape(&client, &all_wanted()).await;
        if layout.tab(Purpose::Board).is_some() {
            let plan = Plan::new(&layout, ALL, TRACES).unwrap();
            let board = board(&[]);
            let content = Content { log: &[], handovers: &[], board: Some(&board) };
            assert_eq!(client.deliver(&plan, &marker(), content).await, HERE);
        }
        let last = google.rows(BOARD).get(2).cloned().unwrap_or_default();
        assert_eq!(last.first().map(String::as_str), Some(rows[2][0]), "theirs is not cleared");
    }
}

/// What the README calls somebody else's: it is left as it is, and `check` says so.
#[tokio::test]
async fn a_tab_of_somebody_elses_never_becomes_the_log_or_the_handovers() {
    let theirs: [&[&[&str]]; 4] = [
        &[&[], &["Doctor", "Room"], &["Rao", "4"]],
        &[&[], &[], &[], &["only", "below"]],
        &[&["Status", "Owner", "Priority"], &["open", "Asha", "1"]],
        &[&["Customer name", "Customer phone", "Doctor"], &["Rohan", "98", "Rao"]],
    ];
    for rows in theirs {
        let google = FakeGoogle::start();
        google.staff().add_tab(TAB, rows);
        google.staff().add_tab(HANDOVERS, rows);
        let before = (google.rows(TAB), google.rows(HANDOVERS));
        let client = client(&google).await;
        let Err(Trouble::Operator(advice)) = client.survey(&all_wanted(), SHADING).await else {
            panic!("{rows:?} is taken over")
        };
        assert!(advice.contains(TAB) && advice.contains("SHEET_NAME"), "{advice}");
        google.staff().rename_tab(TAB, "Theirs");
        let layout = in_shape(&client, &all_wanted()).await;
        assert_eq!(layout.left_out.len(), 1, "{:?}", layout.left_out);
        assert_eq!((google.rows("Theirs"), google.rows(HANDOVERS)), before);
    }
}

/// Whether a tab is empty is told by a little of it, however much there is.
#[tokio::test]
async fn a_huge_tab_is_not_downloaded_to_see_that_it_is_not_empty() {
    let google = FakeGoogle::start();
    let row: &[&str] = &["a somewhat long text that stands in each of very many rows"];
    let mut rows: Vec<&[&str]> = vec![&["Night shift"], &[]];
    rows.extend(std::iter::repeat_n(row, 20_000));
    google.staff().add_tab(BOARD, &rows);
    let client = client(&google).await;
    assert_eq!(in_shape(&client, &all_wanted()).await.tab(Purpose::Board), None);
    let ranges: Vec<String> = google
        .requests()
        .into_iter()
        .filter(|seen| seen.path.contains("/values/"))
        .map(|seen| seen.path.rsplit('!').next().unwrap_or_default().to_owned())
        .collect();
    assert!(!ranges.is_empty());
    for range in ranges {
        let last = range.rsplit(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
        assert!(last.parse::<u32>().is_ok_and(|row| row <= 100), "{range}");
    }
}

#[tokio::test]
async fn a_tab_that_is_empty_but_for_its_end_is_not_empty() {
    let google = FakeGoogle::start();
    google.staff().add_tab(TAB, &[]);
    google.staff().set_cell(TAB, 950, 3, "far below");
    let client = client(&google).await;
    assert!(matches!(client.survey(&wanted(), SHADING).await, Err(Trouble::Operator(_))));
}

/// Google tells titles apart without regard to capitals.
#[tokio::test]
async fn a_title_taken_in_other_capitals_is_taken() {
    let google = FakeGoogle::start();
    google.staff().add_tab(&BOARD.to_uppercase(), &[&["Ours"], &["Invoice", "Amount"]]);
    let client = client(&google).await;
    let mut tries = 0;
    let layout = loop {
        tries += 1;
        assert!(tries < 5, "the log waits for the board for ever");
        match client.survey(&all_wanted(), SHADING).await.unwrap() {
            Survey::Ready(layout) => break layout,
            Survey::Setup(setup) => drop(client.set_up(setup).await),
        }
    };
    assert!(layout.log(TAB).is_some());
    assert_eq!(layout.tab(Purpose::Board), None);
}

#[tokio::test]
async fn two_logs_in_one_spreadsheet_keep_apart() {
    let google = FakeGoogle::start();
    let client = client(&google).await;
    let mut wanted = all_wanted();
    wanted.tabs.insert(0, wanted_tab(Purpose::Log, "North", 3_777));
    let layout = in_shape(&client, &wanted).await;
    for (title, number) in [(TAB, 1), ("North", 2)] {
        let needs = crate::sheets::Needs { log: Some(title), ..LOG_ONLY };
        let plan = Plan::new(&layout, needs, TRACES).unwrap();
        let marker = crate::sheets::Marker::new(number, "0123456789abcdef", 1);
        let number = number.unsigned_abs().into();
        let delivery = client.deliver(&plan, &marker, rows_of(&[entry(number)])).await;
        assert_eq!(delivery, HERE, "{title}");
    }
    assert_eq!(google.column(TAB, "Event ID"), ["abc234-1"]);
    assert_eq!(google.column("North", "Event ID"), ["abc234-2"]);
}

/// The marker is the spreadsheet's: where its rows went, it still says that they were written.
#[tokio::test]
async fn a_marker_outlives_the_tab_of_its_rows() {
    let google = FakeGoogle::start();
    let client = client(&google).await;
    let layout = in_shape(&client, &wanted()).await;
    let plan = Plan::new(&layout, LOG_ONLY, TRACES).unwrap();
    assert_eq!(client.deliver(&plan, &marker(), rows_of(&[entry(1)])).await, HERE);
    google.staff().delete_tab(TAB);
    assert_eq!(client.holds_marker(&marker()).await, Ok(true));
    let again = client.deliver(&plan, &marker(), rows_of(&[entry(1)])).await;
    assert_eq!(again, Delivery::Written(Landing::Unknown));
}

#[tokio::test]
async fn a_protected_part_is_told_from_what_stops_the_whole_spreadsheet() {
    let google = FakeGoogle::start();
    let client = client(&google).await;
    let layout = in_shape(&client, &all_wanted()).await;
    let plan = Plan::new(&layout, ALL, TRACES).unwrap();
    google.staff().protect(BOARD);
    let board = board(&[5]);
    let content = Content { board: Some(&board), ..rows_of(&[]) };
    let delivery = client.deliver(&plan, &marker(), content).await;
    let Delivery::Refused(Refused::Part(_, advice)) = delivery else { panic!("{delivery:?}") };
    assert!(advice.contains("protected"), "{advice}");
}
