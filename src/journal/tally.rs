//! The [`Tally`]: counters that must add up, committed with the rows they count.

use rusqlite::{Connection, Row};

/// Counts since the journal was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub(super) next_number: u64,
    pub(super) next_batch: u64,
    /// Unassignments acknowledged as new.
    pub accepted: u64,
    /// Other events that were new and are remembered.
    pub remembered: u64,
    /// Resends acknowledged.
    pub duplicate: u64,
    /// Readable bodies that nothing recognised.
    pub unrecognised: u64,
    /// Rows known to be in the sheet.
    pub written: u64,
    /// Rows refused by Google for their content, kept with the reason.
    pub set_aside: u64,
}

impl Tally {
    /// Rows that are still to be written. accepted = written + pending + set aside.
    pub fn pending(&self) -> u64 {
        self.accepted.saturating_sub(self.written).saturating_sub(self.set_aside)
    }

    pub(super) fn load(connection: &Connection) -> rusqlite::Result<Self> {
        connection.query_row(
            "SELECT next_number, next_batch, accepted, remembered, duplicate, unrecognised,
                    written, set_aside FROM tally",
            (),
            |row| {
                let get = |column| count(row, column);
                Ok(Self {
                    next_number: get(0)?,
                    next_batch: get(1)?,
                    accepted: get(2)?,
                    remembered: get(3)?,
                    duplicate: get(4)?,
                    unrecognised: get(5)?,
                    written: get(6)?,
                    set_aside: get(7)?,
                })
            },
        )
    }

    pub(super) fn store(&self, connection: &Connection) -> rusqlite::Result<()> {
        let values = [
            self.next_number,
            self.next_batch,
            self.accepted,
            self.remembered,
            self.duplicate,
            self.unrecognised,
            self.written,
            self.set_aside,
        ];
        connection
            .prepare_cached(
                "UPDATE tally SET next_number = ?1, next_batch = ?2, accepted = ?3,
                    remembered = ?4, duplicate = ?5, unrecognised = ?6, written = ?7,
                    set_aside = ?8",
            )?
            .execute(values.map(u64::cast_signed))
            .map(drop)
    }
}

/// SQLite's integers are signed; ours start at zero and only count up.
pub(super) fn count(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(i64::cast_unsigned)
}
