-- The journal's one schema. Times are milliseconds since 1970 UTC.
-- Every table is written by the one writer thread only; all else reads.

-- What this journal is: random at birth, never changed but where noted.
--   hash_key     32 random bytes: keys every hash below
--   tag          begins every event id
--   marker_base  a batch's marker id is this plus its number (drawn anew if it is found taken)
--   tab.*        the ids under which tabs are made (drawn anew if one is found taken)
--   fact.*       what `check --live` found out about Google: 1 holds, 0 does not
--   sessions_ended.*  of each slot of the page's sessions, until when those issued in it are over
CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value NOT NULL
) WITHOUT ROWID;

-- One row. Kept, so that nothing is ever counted at start: accepted = written + pending + set aside.
CREATE TABLE tally (
    one                 INTEGER PRIMARY KEY CHECK (one = 1),
    next_number         INTEGER NOT NULL DEFAULT 1, -- of the next event; never given twice
    next_batch          INTEGER NOT NULL DEFAULT 1, -- of the next batch; never given twice
    accepted            INTEGER NOT NULL DEFAULT 0, -- unassignments that were answered `accepted`
    remembered          INTEGER NOT NULL DEFAULT 0, -- other events that taught us something
    duplicate           INTEGER NOT NULL DEFAULT 0, -- resends
    unrecognised        INTEGER NOT NULL DEFAULT 0,
    written             INTEGER NOT NULL DEFAULT 0, -- rows known to be in the sheet
    set_aside           INTEGER NOT NULL DEFAULT 0, -- rows in the table of that name
    handovers           INTEGER NOT NULL DEFAULT 0, -- rows of handovers made
    handovers_written   INTEGER NOT NULL DEFAULT 0,
    handovers_set_aside INTEGER NOT NULL DEFAULT 0,
    assigned_at         INTEGER NOT NULL DEFAULT 0, -- last news of an assignment; 0 is never
    waits               INTEGER NOT NULL DEFAULT 0, -- rows in the table `waiting`
    found               INTEGER NOT NULL DEFAULT 0, -- of those accepted, rows found by asking DoubleTick
    found_ends          INTEGER NOT NULL DEFAULT 0, -- waits whose end was found so
    asked_at            INTEGER NOT NULL DEFAULT 0  -- when its list was last read to its end; 0 is never
);
INSERT INTO tally (one) VALUES (1);

-- A spreadsheet that rows go to.
CREATE TABLE book (
    id            INTEGER PRIMARY KEY,
    spreadsheet   TEXT NOT NULL UNIQUE,       -- Google's id
    pending       INTEGER NOT NULL DEFAULT 0, -- rows in its queues: nothing is ever counted at start
    waiting       INTEGER NOT NULL DEFAULT 0, -- chats on its board
    board_changes INTEGER NOT NULL DEFAULT 0, -- counts up whenever its board is to look different
    unheard       INTEGER NOT NULL DEFAULT 0  -- chats without an agent of which nothing was ever heard
);

-- Rows for one tab of it, in the order of acceptance.
CREATE TABLE queue (
    id   INTEGER PRIMARY KEY,
    book INTEGER NOT NULL,
    tab  TEXT                               -- the log's title as configured; NULL: the handovers
);

-- Rows not yet in the sheet, in the order of acceptance. Gone, payload and all, once written.
CREATE TABLE entry (
    queue       INTEGER NOT NULL,
    number      INTEGER NOT NULL,           -- the event's
    received_at INTEGER NOT NULL,
    payload     BLOB NOT NULL,              -- JSON of chat::Entry
    PRIMARY KEY (queue, number)
) WITHOUT ROWID;

-- The batch under way of each book: at most one. Immutable once here: a resend is built from the same
-- members and the same plan. Its members are all entries of the log's queue from `first` to `last`, and
-- those of the handovers' likewise; a range that is not there is from 1 to 0.
CREATE TABLE batch (
    number         INTEGER PRIMARY KEY,
    book           INTEGER NOT NULL UNIQUE,
    queue          INTEGER NOT NULL,
    first          INTEGER NOT NULL,
    last           INTEGER NOT NULL,
    handover_queue INTEGER NOT NULL,
    handover_first INTEGER NOT NULL,
    handover_last  INTEGER NOT NULL,
    marker_id      INTEGER NOT NULL,
    digest         TEXT NOT NULL,           -- of the plan, the members and the board: what our marker says
    plan           TEXT NOT NULL,           -- where its rows go, in the words of the one who sends them
    board          TEXT,                    -- JSON of chat::Board, where the board goes along
    board_changes  INTEGER NOT NULL,        -- the book's, at that moment
    sealed_at      INTEGER NOT NULL
);

-- Markers under which something may still be sent: by whoever took them for a write that is no batch
-- (`is_open`: nobody knows yet what became of it), or by a process that is gone.
CREATE TABLE fence (
    marker_id INTEGER PRIMARY KEY,
    book      INTEGER NOT NULL,
    digest    TEXT,                          -- what the marker says; NULL: none goes along
    at        INTEGER NOT NULL,
    is_open   INTEGER NOT NULL
);

-- Rows that wait for their customer's name, for two seconds at most.
CREATE TABLE awaited (
    number INTEGER PRIMARY KEY,
    book   INTEGER NOT NULL,
    until  INTEGER NOT NULL
);

-- Rows that Google refused for their own content, with the reason.
CREATE TABLE set_aside (
    number      INTEGER PRIMARY KEY,
    received_at INTEGER NOT NULL,
    payload     BLOB NOT NULL,
    reason      TEXT NOT NULL,
    at          INTEGER NOT NULL
);

-- Bodies that nothing recognised, as received; bounded in number and age.
CREATE TABLE unrecognised (
    id          INTEGER PRIMARY KEY, -- counts up; never given twice
    received_at INTEGER NOT NULL,
    announced   TEXT,              -- the address's ?event=
    body        BLOB NOT NULL      -- the body as JSON
);

-- By which event a chat was last heard of, for the resend window. Append-only, and short.
CREATE TABLE recent (
    number INTEGER PRIMARY KEY,    -- the event's
    chat   BLOB NOT NULL,          -- keyed hash of the chat's name
    body   BLOB NOT NULL,          -- keyed hash of the body
    at     INTEGER NOT NULL
);

-- What is known of chats, customers and bodies with an identity of their own.
CREATE TABLE memory (
    key     BLOB PRIMARY KEY,      -- keyed hash of the name
    seen_at INTEGER NOT NULL,
    same_as BLOB,                  -- the key under which it stands; or NULL, and
    record  BLOB                   -- JSON
) WITHOUT ROWID;

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

-- What happened in each quarter of an hour of the last weeks: no patient is in it.
CREATE TABLE counted (
    book    INTEGER NOT NULL,
    quarter INTEGER NOT NULL,               -- its number since 1970 UTC
    counts  BLOB NOT NULL,                  -- JSON of chat::Counts
    agents  BLOB,                           -- JSON of chat::Agents; NULL: none, or forgotten
    PRIMARY KEY (book, quarter)
) WITHOUT ROWID;

-- When the writes of the last minute left, at the latest: nobody forgets the quota, or takes it twice.
CREATE TABLE sent (
    at INTEGER NOT NULL
);
