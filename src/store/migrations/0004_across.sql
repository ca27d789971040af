-- Shells that run on while the relay does not: written when it stops in order, and taken out when the
-- next one starts. After a crash there is none.
CREATE TABLE open_shells (
    session             INTEGER NOT NULL REFERENCES sessions (id),
    shell               INTEGER NOT NULL,
    columns             INTEGER NOT NULL,
    rows                INTEGER NOT NULL,
    -- Bytes of input that the customer's computer surely consumed, and that it was sent.
    input_acknowledged  INTEGER NOT NULL,
    input_sent          INTEGER NOT NULL,
    -- The same of output, of the console.
    output_acknowledged INTEGER NOT NULL,
    output_sent         INTEGER NOT NULL,
    -- The transcript, once all of it is on the disk: bytes of output in it, the file's length,
    -- microseconds since it began, and the beginning of a character.
    taken               INTEGER,
    written             INTEGER,
    elapsed             INTEGER,
    carried             BLOB,
    PRIMARY KEY (session, shell)
) STRICT, WITHOUT ROWID;

-- Which version's news a person has read.
CREATE TABLE news (
    account INTEGER NOT NULL PRIMARY KEY REFERENCES accounts (id),
    version TEXT    NOT NULL
) STRICT;
