-- The journal's one schema on PostgreSQL. Times are milliseconds since 1970 UTC, numbers are bigint.
-- Everything stands in a schema of its own and is named with it: no session remembers a search path.

CREATE SCHEMA IF NOT EXISTS doubletick_sheets;

-- What this journal is: drawn once, by chance. hash_key keys every hash below; tag begins every event id.
CREATE TABLE doubletick_sheets.origin (
    one      integer PRIMARY KEY CHECK (one = 1),
    schema   integer NOT NULL,
    hash_key bytea NOT NULL,
    tag      text NOT NULL
);

-- Numbers that are kept under a name: the base of marker ids, tabs' ids, facts found out about Google, until when
-- sessions of the page were ended.
CREATE TABLE doubletick_sheets.meta (
    name  text PRIMARY KEY,
    value bigint NOT NULL
);

-- One row, locked first in every transaction: it gives the order, and it tells what became of a commit whose
-- answer was lost. accepted = written + pending + set aside.
CREATE TABLE doubletick_sheets.tally (
    one                 integer PRIMARY KEY CHECK (one = 1),
    commits             bigint NOT NULL DEFAULT 0, -- counts up with every transaction
    next_number         bigint NOT NULL DEFAULT 1, -- of the next event; never given twice
    next_batch          bigint NOT NULL DEFAULT 1, -- of the next batch; never given twice
    accepted            bigint NOT NULL DEFAULT 0,
    remembered          bigint NOT NULL DEFAULT 0,
    duplicate           bigint NOT NULL DEFAULT 0,
    unrecognised        bigint NOT NULL DEFAULT 0,
    written             bigint NOT NULL DEFAULT 0,
    set_aside           bigint NOT NULL DEFAULT 0,
    handovers           bigint NOT NULL DEFAULT 0,
    handovers_written   bigint NOT NULL DEFAULT 0,
    handovers_set_aside bigint NOT NULL DEFAULT 0,
    assigned_at         bigint NOT NULL DEFAULT 0,
    waits               bigint NOT NULL DEFAULT 0,
    found               bigint NOT NULL DEFAULT 0, -- of those accepted, rows found by asking DoubleTick
    found_ends          bigint NOT NULL DEFAULT 0, -- waits whose end was found so
    asked_at            bigint NOT NULL DEFAULT 0  -- when its list was last read to its end; 0 is never
) WITH (fillfactor = 20);
INSERT INTO doubletick_sheets.tally (one) VALUES (1);

-- One row: which instance does what must be done once, and until when. The epoch counts up with every owner.
CREATE TABLE doubletick_sheets.lease (
    one   integer PRIMARY KEY CHECK (one = 1),
    owner text,
    epoch bigint NOT NULL DEFAULT 0,
    until bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 20);
INSERT INTO doubletick_sheets.lease (one) VALUES (1);

-- The instances, each with the last of its commits and what it says of itself.
CREATE TABLE doubletick_sheets.instance (
    id        text PRIMARY KEY,
    committed bigint NOT NULL,
    seen_at   bigint NOT NULL,
    report    text
) WITH (fillfactor = 20);

CREATE TABLE doubletick_sheets.book (
    id            bigint PRIMARY KEY,
    spreadsheet   text NOT NULL UNIQUE,
    pending       bigint NOT NULL DEFAULT 0,
    waiting       bigint NOT NULL DEFAULT 0,
    board_changes bigint NOT NULL DEFAULT 0,
    unheard       bigint NOT NULL DEFAULT 0 -- chats without an agent of which nothing was ever heard
) WITH (fillfactor = 20);

CREATE TABLE doubletick_sheets.queue (
    id   bigint PRIMARY KEY,
    book bigint NOT NULL,
    tab  text
);

-- Rows not yet in the sheet, in the order of acceptance.
CREATE TABLE doubletick_sheets.entry (
    queue       bigint NOT NULL,
    number      bigint NOT NULL,
    received_at bigint NOT NULL,
    payload     bytea NOT NULL,
    PRIMARY KEY (queue, number)
);

CREATE TABLE doubletick_sheets.batch (
    number         bigint PRIMARY KEY,
    book           bigint NOT NULL UNIQUE,
    queue          bigint NOT NULL,
    first          bigint NOT NULL,
    last           bigint NOT NULL,
    handover_queue bigint NOT NULL,
    handover_first bigint NOT NULL,
    handover_last  bigint NOT NULL,
    marker_id      integer NOT NULL,
    digest         text NOT NULL,
    plan           text NOT NULL,
    board          text,
    board_changes  bigint NOT NULL,
    sealed_at      bigint NOT NULL
);

-- Markers under which something may still be sent: by whoever took them for a write that is no batch
-- (is_open: nobody knows yet what became of it), or by a process that is gone.
CREATE TABLE doubletick_sheets.fence (
    marker_id integer PRIMARY KEY,
    book      bigint NOT NULL,
    digest    text,
    at        bigint NOT NULL,
    is_open   boolean NOT NULL
);

CREATE TABLE doubletick_sheets.set_aside (
    number      bigint PRIMARY KEY,
    received_at bigint NOT NULL,
    payload     bytea NOT NULL,
    reason      text NOT NULL,
    at          bigint NOT NULL
);

CREATE TABLE doubletick_sheets.unrecognised (
    id          bigint PRIMARY KEY,
    received_at bigint NOT NULL,
    announced   text,
    body        bytea NOT NULL
);

-- By which event a chat was last heard of, for the resend window. Append-only, and short: its times stand in
-- the order of its pages, so that what is old is found by the smallest of indexes.
CREATE TABLE doubletick_sheets.recent (
    number bigint NOT NULL,
    chat   bytea NOT NULL,
    body   bytea NOT NULL,
    at     bigint NOT NULL,
    PRIMARY KEY (chat, number)
);
CREATE INDEX recent_at ON doubletick_sheets.recent USING brin (at) WITH (pages_per_range = 16);

CREATE TABLE doubletick_sheets.memory (
    key     bytea PRIMARY KEY,
    seen_at bigint NOT NULL,
    same_as bytea,
    record  bytea
);

CREATE TABLE doubletick_sheets.waiting (
    number   bigint PRIMARY KEY,
    book     bigint NOT NULL,
    chat     bytea NOT NULL,
    customer bytea NOT NULL,
    is_over  boolean NOT NULL,
    seen_at  bigint NOT NULL,
    record   bytea NOT NULL
);
CREATE INDEX waiting_chat ON doubletick_sheets.waiting (chat);
-- A customer has two keys at most, of 16 bytes each.
CREATE INDEX waiting_customer ON doubletick_sheets.waiting (substr(customer, 1, 16));
CREATE INDEX waiting_customer_also ON doubletick_sheets.waiting (substr(customer, 17, 16));

-- Rows that wait for their customer's name, and until when.
CREATE TABLE doubletick_sheets.awaited (
    number bigint PRIMARY KEY,
    book   bigint NOT NULL,
    until  bigint NOT NULL
);

-- What happened in each quarter of an hour of the last weeks: no patient is in it.
CREATE TABLE doubletick_sheets.counted (
    book    bigint NOT NULL,
    quarter bigint NOT NULL,
    counts  bytea NOT NULL,
    agents  bytea,
    PRIMARY KEY (book, quarter)
) WITH (fillfactor = 50);

-- When the writes of the last minute left: the quota is everybody's.
CREATE TABLE doubletick_sheets.sent (
    at bigint NOT NULL
);
