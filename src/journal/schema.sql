-- The journal, schema 1. Times are milliseconds since 1970 UTC.
-- Every table is written by the one writer thread only; all else reads.

-- What this journal is: random at birth, never changed but where noted.
--   hash_key     32 random bytes: keys every hash below
--   tag          begins every event id
--   marker_base  a batch's marker id is this plus its number (drawn anew if it is found taken)
--   tab_id       the id under which the log tab is made (drawn anew if it is found taken)
--   fact.*       what `check --live` found out about Google: 1 holds, 0 does not
CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value NOT NULL
) WITHOUT ROWID;

-- One row. Kept, so that nothing is ever counted at start: accepted = written + pending + set aside.
CREATE TABLE tally (
    one          INTEGER PRIMARY KEY CHECK (one = 1),
    next_number  INTEGER NOT NULL, -- of the next event; never given twice
    next_batch   INTEGER NOT NULL, -- of the next batch; never given twice
    accepted     INTEGER NOT NULL, -- unassignments that were answered `accepted`
    remembered   INTEGER NOT NULL, -- other events that taught us something
    duplicate    INTEGER NOT NULL, -- resends
    unrecognised INTEGER NOT NULL,
    written      INTEGER NOT NULL, -- rows known to be in the sheet
    set_aside    INTEGER NOT NULL  -- rows in the table of that name
);
INSERT INTO tally VALUES (1, 1, 1, 0, 0, 0, 0, 0, 0);

-- Rows not yet in the sheet, in the order of acceptance. Gone, payload and all, once written.
CREATE TABLE entry (
    number      INTEGER PRIMARY KEY, -- the event's
    received_at INTEGER NOT NULL,
    payload     BLOB NOT NULL        -- JSON of chat::Entry
);

-- The batch under way, at most one. Immutable once here: a resend is built from the same members
-- and the same plan. Its members are all entries from `first` to `last`.
CREATE TABLE batch (
    number    INTEGER PRIMARY KEY,
    first     INTEGER NOT NULL,
    last      INTEGER NOT NULL,
    rows      INTEGER NOT NULL,
    marker_id INTEGER NOT NULL,
    digest    TEXT NOT NULL,    -- of the plan and the members: what our marker says
    plan      TEXT NOT NULL,    -- where its rows go, in the words of the one who sends them
    sealed_at INTEGER NOT NULL
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
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
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
    record  BLOB NOT NULL          -- JSON, or a zero byte and the key under which it stands
) WITHOUT ROWID;

-- When the writes of the last minute left, so that a restart does not forget the quota.
CREATE TABLE sent (
    at INTEGER NOT NULL
);
