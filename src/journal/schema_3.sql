-- The journal, schema 3: what is remembered is noted in the order it comes, and merged later, many
-- records at a time in the order of their keys. At once, each would rewrite a page or two of its own.

-- What was remembered lately. The newest of a key counts, and before what `memory` has of it.
CREATE TABLE memory_log (
    number  INTEGER PRIMARY KEY,
    key     BLOB NOT NULL,
    seen_at INTEGER NOT NULL,
    record  BLOB NOT NULL
);
