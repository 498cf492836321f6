-- The journal, schema 2: rows wait in one queue for each tab; who waits at the clinic is known; how a
-- wait ended is a row too.

-- A spreadsheet that rows go to.
CREATE TABLE book (
    id          INTEGER PRIMARY KEY,
    spreadsheet TEXT NOT NULL UNIQUE,       -- Google's id; '' of before there were several
    pending     INTEGER NOT NULL DEFAULT 0, -- rows in its queues: nothing is ever counted at start
    waiting     INTEGER NOT NULL DEFAULT 0  -- chats on its board
);
INSERT INTO book SELECT 1, '', accepted - written - set_aside, 0 FROM tally;

-- Rows for one tab of it, in the order of acceptance.
CREATE TABLE queue (
    id   INTEGER PRIMARY KEY,
    book INTEGER NOT NULL,
    tab  TEXT                               -- the log's title as configured; NULL: the handovers
);
INSERT INTO queue VALUES (1, 1, '');

ALTER TABLE entry RENAME TO entry_1;
CREATE TABLE entry (
    queue       INTEGER NOT NULL,
    number      INTEGER NOT NULL,           -- the event's
    received_at INTEGER NOT NULL,
    payload     BLOB NOT NULL,              -- JSON of chat::Entry
    PRIMARY KEY (queue, number)
) WITHOUT ROWID;
INSERT INTO entry SELECT 1, number, received_at, payload FROM entry_1;
DROP TABLE entry_1;

-- The batch under way of each book, at most one. Immutable once here. Its members are all entries of
-- the log's queue from `first` to `last`, and those of the handovers' likewise; a range that is not
-- there is from 1 to 0.
ALTER TABLE batch RENAME TO batch_1;
CREATE TABLE batch (
    number         INTEGER PRIMARY KEY,
    book           INTEGER NOT NULL,
    queue          INTEGER NOT NULL,
    first          INTEGER NOT NULL,
    last           INTEGER NOT NULL,
    handover_queue INTEGER NOT NULL,
    handover_first INTEGER NOT NULL,
    handover_last  INTEGER NOT NULL,
    marker_id      INTEGER NOT NULL,
    digest         TEXT NOT NULL,           -- of the plan, the members and the board
    plan           TEXT NOT NULL,           -- where its rows go, in the words of the one who sends them
    board          TEXT,                    -- JSON of chat::Board, where the board goes along
    sealed_at      INTEGER NOT NULL
);
INSERT INTO batch
SELECT number, 1, 1, first, last, 0, 1, 0, marker_id, digest, plan, NULL, sealed_at FROM batch_1;
DROP TABLE batch_1;

-- Who waits, and for a day who did. Append-only but for what ends or repeats a wait, and bounded.
CREATE TABLE waiting (
    number   INTEGER PRIMARY KEY,           -- of the unassignment that began it
    book     INTEGER NOT NULL,
    chat     BLOB NOT NULL,                 -- keyed hash of the chat's name
    customer BLOB NOT NULL,                 -- keyed hashes of the customer's names, one after the other
    is_over  INTEGER NOT NULL,
    seen_at  INTEGER NOT NULL,              -- when it last began or ended
    record   BLOB NOT NULL                  -- JSON of chat::Wait
);
CREATE INDEX waiting_now ON waiting (book, number) WHERE is_over = 0;

ALTER TABLE tally ADD COLUMN handovers INTEGER NOT NULL DEFAULT 0;           -- rows of handovers made
ALTER TABLE tally ADD COLUMN handovers_written INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tally ADD COLUMN handovers_set_aside INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tally ADD COLUMN assigned_at INTEGER NOT NULL DEFAULT 0;         -- last news of an assignment
