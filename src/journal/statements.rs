//! The statements that every event needs, kept prepared: finding them by their text each time took a
//! seventh of the writer's time.

use rusqlite::{Connection, Statement};

/// A statement, prepared when it is first needed.
pub(super) struct Prepared<'c> {
    connection: &'c Connection,
    sql: &'static str,
    statement: Option<Statement<'c>>,
}

impl<'c> Prepared<'c> {
    fn new(connection: &'c Connection, sql: &'static str) -> Self {
        Self { connection, sql, statement: None }
    }

    /// The statement, ready to be run.
    pub(super) fn get(&mut self) -> rusqlite::Result<&mut Statement<'c>> {
        let statement = match self.statement.take() {
            Some(statement) => statement,
            None => self.connection.prepare(self.sql)?,
        };
        Ok(self.statement.insert(statement))
    }
}

/// Those of the way in.
pub(super) struct Statements<'c> {
    pub(super) committed_by_others: Prepared<'c>,
    pub(super) recall: Prepared<'c>,
    pub(super) merge: Prepared<'c>,
    pub(super) log_record: Prepared<'c>,
    pub(super) enqueue: Prepared<'c>,
    pub(super) last_of: Prepared<'c>,
    pub(super) note_last: Prepared<'c>,
    pub(super) wait: Prepared<'c>,
    pub(super) put_wait: Prepared<'c>,
    pub(super) write_wait: Prepared<'c>,
    pub(super) delete_wait: Prepared<'c>,
}

impl<'c> Statements<'c> {
    pub(super) fn new(connection: &'c Connection) -> Self {
        let prepared = |sql| Prepared::new(connection, sql);
        Self {
            committed_by_others: prepared("PRAGMA data_version"),
            recall: prepared("SELECT record, seen_at FROM memory WHERE key = ?1"),
            merge: prepared(
                "INSERT INTO memory (key, seen_at, record) VALUES (?1, ?2, ?3)
                 ON CONFLICT (key) DO UPDATE SET seen_at = ?2, record = ?3",
            ),
            log_record: prepared(
                "INSERT INTO memory_log (number, key, seen_at, record) VALUES (?1, ?2, ?3, ?4)",
            ),
            enqueue: prepared(
                "INSERT INTO entry (queue, number, received_at, payload) VALUES (?1, ?2, ?3, ?4)",
            ),
            last_of: prepared("SELECT body, at FROM recent WHERE number = ?1 AND chat = ?2"),
            note_last: prepared(
                "INSERT INTO recent (number, chat, body, at) VALUES (?1, ?2, ?3, ?4)",
            ),
            wait: prepared(
                "SELECT book, chat, customer, record, is_over FROM waiting WHERE number = ?1",
            ),
            put_wait: prepared(
                "INSERT INTO waiting (number, book, chat, customer, is_over, seen_at, record)
                 VALUES (?1, ?2, ?3, ?4, 0, ?5, ?6)",
            ),
            write_wait: prepared(
                "UPDATE waiting SET is_over = ?2, record = ?3, seen_at = coalesce(?4, seen_at)
                 WHERE number = ?1",
            ),
            delete_wait: prepared("DELETE FROM waiting WHERE number = ?1"),
        }
    }
}
