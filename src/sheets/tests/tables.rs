//! Tables that people made of our tabs: rows land below them, whole, and it is said what that means.

use fake_google::FakeGoogle;

use crate::sheets::tests::tabs::HERE;
use crate::sheets::tests::{
    ALL, BOARD, HANDOVERS, LOG_ONLY, TAB, TRACES, all_wanted, board, client, entry, handover,
    in_shape, marker, rows_of, wanted,
};
use crate::sheets::{Content, Delivery, Layout, Needs, Plan, Purpose, Refused, Trouble};

const WITHOUT_FORMATS: Needs<'static> = Needs { formats: false, ..ALL };

/// All tabs with something in them, and one of them made a table.
async fn with_table(title: &str, is_typed: bool) -> (FakeGoogle, crate::sheets::Client, Layout) {
    let google = FakeGoogle::start();
    let client = client(&google).await;
    let layout = in_shape(&client, &all_wanted()).await;
    let plan = Plan::new(&layout, ALL, TRACES).unwrap();
    let (log, handovers) = ([entry(1), entry(2)], [handover(3, 5, "Bala")]);
    let content = Content { log: &log, handovers: &handovers, board: Some(&board(&[10])) };
    let first = crate::sheets::Marker::new(1, "0123456789abcdef", 1);
    assert_eq!(client.deliver(&plan, &first, content).await, HERE);
    assert_eq!(layout.table_advice(), None);
    google.staff().make_table(title, "Waiting_list", is_typed);
    let layout = in_shape(&client, &all_wanted()).await;
    (google, client, layout)
}

#[tokio::test]
async fn rows_land_below_whatever_tab_was_made_a_table() {
    for title in [TAB, HANDOVERS, BOARD] {
        let (google, client, layout) = with_table(title, true).await;
        let advice = layout.table_advice().unwrap();
        assert!(
            advice.contains(title) && advice.contains("Revert to unformatted data"),
            "{advice}"
        );
        let plan = Plan::new(&layout, ALL, TRACES).unwrap();
        let (log, handovers) = ([entry(4)], [handover(5, 5, "Bala")]);
        let content = Content { log: &log, handovers: &handovers, board: Some(&board(&[5, 9])) };
        assert_eq!(client.deliver(&plan, &marker(), content).await, HERE, "{title}");
        assert_eq!(google.column(TAB, "Event ID"), ["abc234-1", "abc234-2", "abc234-4"]);
        assert_eq!(google.column(HANDOVERS, "Event ID"), ["abc234-3", "abc234-5"]);
        assert_eq!(google.rows(BOARD).len(), 4);
        google.staff().revert_tables(title);
        assert_eq!(in_shape(&client, &all_wanted()).await.table_advice(), None);
    }
}

#[tokio::test]
async fn two_tables_are_told_of_in_one_sentence() {
    let (google, client, _) = with_table(TAB, false).await;
    google.staff().make_table(HANDOVERS, "Handed_over", false);
    let advice = in_shape(&client, &all_wanted()).await.table_advice().unwrap();
    assert!(advice.contains("`Unassigned chats` and `Handovers` are tables"), "{advice}");
}

#[tokio::test]
async fn a_table_beside_our_columns_is_nothing_to_us() {
    let google = FakeGoogle::start();
    let client = client(&google).await;
    in_shape(&client, &wanted()).await;
    google.staff().insert_column(TAB, 10, "Remarks");
    google.staff().make_table(TAB, "Remarks", false);
    (0..10).for_each(|_| google.staff().move_column(TAB, 0, 10));
    assert!(in_shape(&client, &wanted()).await.table_advice().is_some());
    google.staff().revert_tables(TAB);
    google.staff().make_table_of(TAB, "Remarks", 0..1);
    assert_eq!(in_shape(&client, &wanted()).await.table_advice(), None);
}

/// Whether formats meet the same refusal as validation is not known.
#[tokio::test]
async fn where_typed_columns_take_no_formats_rows_go_without() {
    let (google, client, layout) = with_table(TAB, true).await;
    google.typed_columns_take_no_formats(true);
    let plan = Plan::new(&layout, ALL, TRACES).unwrap();
    let content = Content { log: &[entry(4)], handovers: &[], board: None };
    let refused = client.deliver(&plan, &marker(), content).await;
    assert_eq!(refused, Delivery::Refused(Refused::Formats { is_lasting: true }));
    let plan = Plan::new(&layout, WITHOUT_FORMATS, TRACES).unwrap();
    assert_eq!(client.deliver(&plan, &marker(), content).await, HERE);
    assert_eq!(google.column(TAB, "Event ID"), ["abc234-1", "abc234-2", "abc234-4"]);
}

/// Nothing is left to leave out then, and it must not be tried for ever.
#[tokio::test]
async fn where_typed_columns_take_nothing_at_all_a_human_is_told() {
    let (google, client, layout) = with_table(TAB, true).await;
    let words = "Invalid requests[2].appendCells: This operation is not allowed on cells in typed \
                 columns.";
    let body = serde_json::json!({ "error": { "code": 400, "message": words } }).to_string();
    let refusal = fake_google::Refusal::Custom(400, body);
    google.fail_next_write(fake_google::Fault::Refuse(refusal));
    let plan = Plan::new(&layout, WITHOUT_FORMATS, TRACES).unwrap();
    let delivery = client.deliver(&plan, &marker(), rows_of(&[entry(4)])).await;
    let Delivery::Refused(Refused::Part(Some(Purpose::Log), advice)) = delivery else {
        panic!("{delivery:?}")
    };
    assert!(advice.contains("Revert to unformatted data"), "{advice}");
}

/// People make the table first, with our labels; and only then comes the service.
#[tokio::test]
async fn a_table_with_our_labels_is_bound_as_it_is() {
    let google = FakeGoogle::start();
    google.staff().add_tab(TAB, &[&["Event ID", "Status", "Unassigned at"], &["x", "y", "z"]]);
    google.staff().make_table(TAB, "Waiting_list", true);
    google.typed_columns_take_no_formats(true);
    let client = client(&google).await;
    let layout = in_shape(&client, &wanted()).await;
    assert!(layout.table_advice().is_some());
    let plan = Plan::new(&layout, Needs { formats: false, ..LOG_ONLY }, TRACES).unwrap();
    assert_eq!(client.deliver(&plan, &marker(), rows_of(&[entry(1)])).await, HERE);
    assert_eq!(google.column(TAB, "Event ID"), ["x", "abc234-1"]);
}

#[tokio::test]
async fn a_table_that_keeps_a_tab_from_being_set_up_is_for_a_human() {
    let google = FakeGoogle::start();
    google.staff().add_tab(TAB, &[&["Event ID", "Chat ID", "Doctor", "Ward"]]);
    google.staff().make_table(TAB, "Waiting_list", true);
    let client = client(&google).await;
    let words = "Invalid requests[4].setDataValidation: This operation is not allowed on cells in \
                 typed columns.";
    let body = serde_json::json!({ "error": { "code": 400, "message": words } }).to_string();
    google.fail_next_write(fake_google::Fault::Refuse(fake_google::Refusal::Custom(400, body)));
    let survey = client.survey(&wanted(), crate::sheets::tests::SHADING).await.unwrap();
    let crate::sheets::Survey::Setup(setup) = survey else { panic!("{survey:?}") };
    let Err(Trouble::Operator(advice)) = client.set_up(setup).await else {
        panic!("it is refused")
    };
    assert!(advice.contains("Revert to unformatted data"), "{advice}");
}
