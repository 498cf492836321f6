//! A database that is put back to an earlier moment while the service runs.

use postgres_rig::{Cluster, installed};

use crate::exactly_once::assert_once_each;
use crate::harness::unassigned;
use crate::several::group::Group;

/// What the restore of a copy does: the tables are as they were, whatever was written since.
const KEEP: &str = "CREATE TABLE kept_entry AS SELECT * FROM doubletick_sheets.entry;
    CREATE TABLE kept_tally AS SELECT * FROM doubletick_sheets.tally;
    CREATE TABLE kept_book AS SELECT * FROM doubletick_sheets.book;
    CREATE TABLE kept_batch AS SELECT * FROM doubletick_sheets.batch";
const PUT_BACK: &str = "BEGIN; SELECT 1 FROM doubletick_sheets.tally FOR UPDATE;
    DELETE FROM doubletick_sheets.entry; INSERT INTO doubletick_sheets.entry SELECT * FROM kept_entry;
    DELETE FROM doubletick_sheets.tally; INSERT INTO doubletick_sheets.tally SELECT * FROM kept_tally;
    DELETE FROM doubletick_sheets.book; INSERT INTO doubletick_sheets.book SELECT * FROM kept_book;
    DELETE FROM doubletick_sheets.batch; INSERT INTO doubletick_sheets.batch SELECT * FROM kept_batch;
    COMMIT";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_stand_in_the_sheet_are_not_written_again_when_the_database_forgot_that() {
    if !installed() {
        return;
    }
    let cluster = Cluster::shared();
    let database = cluster.database();
    let group = Group::on(&database.url(), 1);
    let service = &group.running[0];
    service.drained().await;
    group.clinic.google.outage(true);
    let mut sent = Vec::new();
    for number in 0..5 {
        let chat = format!("chat_{number}");
        service.take(&unassigned(&chat)).await;
        sent.push(chat);
    }
    database.session().query(KEEP).unwrap();
    group.clinic.google.outage(false);
    service.drained().await;
    assert_eq!(group.clinic.chats().len(), 5);
    database.session().query(PUT_BACK).unwrap();
    service.take(&unassigned("chat_5")).await;
    sent.push("chat_5".into());
    service.drained().await;
    assert_once_each(&group.clinic, &sent);
    let warnings = service.ready().await["journal"]["warnings"].to_string();
    assert!(warnings.contains("the database went back in time"), "{warnings}");
}
