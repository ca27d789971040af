-- Machines that are reached without anybody at them, by the key that each proves.
CREATE TABLE jump_clients (
    id         INTEGER NOT NULL PRIMARY KEY CHECK (id >= 0),
    -- Fingerprint of the device key.
    device     BLOB    NOT NULL UNIQUE CHECK (length(device) = 32),
    computer   TEXT    NOT NULL,
    platform   TEXT    NOT NULL,
    -- The deployment that it came by.
    deployment BLOB    NOT NULL CHECK (length(deployment) = 32),
    enrolled   INTEGER NOT NULL
) STRICT;

-- What lets new machines in, so many and for so long.
CREATE TABLE deployments (
    -- Fingerprint of the token.
    token    BLOB    NOT NULL PRIMARY KEY CHECK (length(token) = 32),
    machines INTEGER NOT NULL CHECK (machines >= 0),
    created  INTEGER NOT NULL,
    expires  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Jump Clients let in each second; NULL is as many as come.
ALTER TABLE settings ADD COLUMN admission_rate INTEGER DEFAULT 50 CHECK (admission_rate > 0);
