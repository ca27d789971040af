-- The first schema. A migration that has been released is never edited; the next one follows it.
--
-- Times are milliseconds since 1970 in UTC. Words (kind, state, …) and JSON are written as the
-- types in src/domain write them. Fingerprints are SHA-256, 32 bytes.

-- 'JGAT': says whose file this is; see also PRAGMA user_version, the number of the last migration.
PRAGMA application_id = 0x4a474154;

-- Single values an administrator's actions change. One row.
CREATE TABLE settings (
    only        INTEGER PRIMARY KEY CHECK (only = 1),
    -- Of the one-time link that makes the first administrator; empty once it was used.
    setup_token BLOB CHECK (length(setup_token) = 32)
) STRICT;
INSERT INTO settings (only) VALUES (1);

-- Never deleted: sessions and the audit record refer to them.
CREATE TABLE accounts (
    id             INTEGER PRIMARY KEY,
    name           TEXT    NOT NULL UNIQUE,
    display_name   TEXT    NOT NULL,
    administrator  INTEGER NOT NULL CHECK (administrator IN (0, 1)),
    representative INTEGER NOT NULL CHECK (representative IN (0, 1)),
    disabled       INTEGER NOT NULL DEFAULT 0 CHECK (disabled IN (0, 1)),
    -- A PHC string (Argon2id).
    password_hash  TEXT    NOT NULL,
    created        INTEGER NOT NULL
) STRICT;

-- A browser in which somebody signed in.
CREATE TABLE sign_ins (
    -- Fingerprint of the cookie.
    token   BLOB    NOT NULL PRIMARY KEY CHECK (length(token) = 32),
    account INTEGER NOT NULL REFERENCES accounts (id),
    -- Plain: pages carry it, and it lets nobody in without the cookie.
    csrf    TEXT    NOT NULL,
    opened  INTEGER NOT NULL,
    seen    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sign_ins_by_account ON sign_ins (account, opened);

-- Session keys that were not used yet. Using one deletes it.
CREATE TABLE session_keys (
    -- Plain, like the digits: both are read out and sent around, and die within a day.
    ak      TEXT    NOT NULL PRIMARY KEY,
    digits  TEXT    NOT NULL UNIQUE,
    account INTEGER NOT NULL REFERENCES accounts (id),
    created INTEGER NOT NULL,
    expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX session_keys_by_expiry  ON session_keys (expires);
CREATE INDEX session_keys_by_account ON session_keys (account);

CREATE TABLE sessions (
    id              INTEGER PRIMARY KEY CHECK (id >= 0),
    owner           INTEGER NOT NULL REFERENCES accounts (id),
    -- As it was: a report reads the same after the account was renamed.
    owner_name      TEXT    NOT NULL,
    kind            TEXT    NOT NULL CHECK (kind IN ('client', 'chat')),
    customer        TEXT    NOT NULL,
    computer        TEXT    NOT NULL,
    platform        TEXT    NOT NULL,
    private_address TEXT    NOT NULL,
    public_address  TEXT    NOT NULL,
    -- Fingerprint of what the customer comes back with.
    resume          BLOB    NOT NULL CHECK (length(resume) = 32),
    started         INTEGER NOT NULL,
    -- The first time.
    accepted        INTEGER,
    state           TEXT    NOT NULL CHECK (state IN ('waiting', 'accepted')),
    -- JSON list of tools.
    allowed         TEXT    NOT NULL,
    next_shell      INTEGER NOT NULL CHECK (next_shell >= 1),
    ended           INTEGER,
    end_reason      TEXT,
    -- What the list of sessions is searched by, in lower case: SQLite folds only ASCII.
    found_by        TEXT    NOT NULL,
    CHECK ((ended IS NULL) = (end_reason IS NULL))
) STRICT;
CREATE INDEX sessions_by_start ON sessions (started, id);
CREATE INDEX sessions_unended  ON sessions (started, id) WHERE ended IS NULL;

-- The session log.
CREATE TABLE entries (
    session INTEGER NOT NULL REFERENCES sessions (id),
    number  INTEGER NOT NULL CHECK (number >= 1),
    at      INTEGER NOT NULL,
    -- JSON, both.
    author  TEXT    NOT NULL,
    what    TEXT    NOT NULL,
    PRIMARY KEY (session, number)
) STRICT, WITHOUT ROWID;

-- Recorded shells; their bytes are files.
CREATE TABLE transcripts (
    session INTEGER NOT NULL REFERENCES sessions (id),
    shell   INTEGER NOT NULL CHECK (shell >= 1),
    file    TEXT    NOT NULL,
    started INTEGER NOT NULL,
    -- Empty while the shell runs, and for good if the appliance was stopped the hard way.
    ended   INTEGER,
    bytes   INTEGER,
    sha256  BLOB CHECK (length(sha256) = 32),
    CHECK ((ended IS NULL) = (bytes IS NULL) AND (ended IS NULL) = (sha256 IS NULL)),
    PRIMARY KEY (session, shell)
) STRICT, WITHOUT ROWID;

-- Who did what. src/audit/chain.rs says which bytes a row's hash covers.
CREATE TABLE audit (
    number INTEGER PRIMARY KEY,
    at     INTEGER NOT NULL,
    -- JSON, both.
    actor  TEXT    NOT NULL,
    event  TEXT    NOT NULL,
    hash   BLOB    NOT NULL CHECK (length(hash) = 32)
) STRICT;

CREATE TRIGGER audit_never_changes BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit record is append-only'); END;

CREATE TRIGGER audit_never_forgets BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit record is append-only'); END;

-- Numbered from 1 without gaps. This also refuses INSERT OR REPLACE, which deletes a row without
-- asking the trigger above.
CREATE TRIGGER audit_in_order BEFORE INSERT ON audit
WHEN new.number IS NOT (SELECT coalesce(max(number), 0) + 1 FROM audit)
BEGIN SELECT RAISE(ABORT, 'the audit record is numbered without gaps'); END;
