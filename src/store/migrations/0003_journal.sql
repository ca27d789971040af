-- What the journal beside the store has of it (src/store/journal), if there is one: then one row.
CREATE TABLE journal (
    only  INTEGER PRIMARY KEY CHECK (only = 1),
    -- Name of this store's file. A copy that kept the row must not write another's journal.
    store TEXT    NOT NULL,
    -- The journal's bytes that belong to committed transactions.
    bytes INTEGER NOT NULL CHECK (bytes >= 0),
    -- Number of the last of them.
    last  INTEGER NOT NULL CHECK (last >= 0)
) STRICT;

-- Journals of other versions whose rows were taken over, by the fingerprint of their first line.
CREATE TABLE imported (
    journal BLOB    NOT NULL PRIMARY KEY CHECK (length(journal) = 32),
    -- Number of the last transaction that is in.
    last    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
