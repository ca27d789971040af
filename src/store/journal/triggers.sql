-- Format 1 of the journal (line.rs, row.rs), out of the tables as this release has them. A later
-- migration that changes a table changes its trigger here, and never what the JSON means.
CREATE TEMP TABLE journaled (id INTEGER PRIMARY KEY, row TEXT NOT NULL) STRICT;

CREATE TEMP TRIGGER audit_added AFTER INSERT ON main.audit
BEGIN INSERT INTO journaled (row) SELECT json_object(
    'row', 'audit', 'number', new.number, 'at', new.at, 'actor', new.actor, 'event', new.event,
    'hash', lower(hex(new.hash))); END;

CREATE TEMP TRIGGER session_added AFTER INSERT ON main.sessions
BEGIN INSERT INTO journaled (row) SELECT json_object(
    'row', 'session', 'id', printf('%016x', new.id), 'owner', new.owner,
    'owner_name', new.owner_name, 'kind', new.kind, 'customer', new.customer,
    'computer', new.computer, 'platform', new.platform, 'private_address', new.private_address,
    'public_address', new.public_address, 'resume', lower(hex(new.resume)),
    'started', new.started, 'accepted', new.accepted, 'state', new.state, 'allowed', new.allowed,
    'next_shell', new.next_shell, 'ended', new.ended, 'end_reason', new.end_reason); END;

CREATE TEMP TRIGGER session_changed AFTER UPDATE ON main.sessions
BEGIN INSERT INTO journaled (row) SELECT json_object(
    'row', 'session', 'id', printf('%016x', new.id), 'owner', new.owner,
    'owner_name', new.owner_name, 'kind', new.kind, 'customer', new.customer,
    'computer', new.computer, 'platform', new.platform, 'private_address', new.private_address,
    'public_address', new.public_address, 'resume', lower(hex(new.resume)),
    'started', new.started, 'accepted', new.accepted, 'state', new.state, 'allowed', new.allowed,
    'next_shell', new.next_shell, 'ended', new.ended, 'end_reason', new.end_reason); END;

CREATE TEMP TRIGGER entry_added AFTER INSERT ON main.entries
BEGIN INSERT INTO journaled (row) SELECT json_object(
    'row', 'entry', 'session', printf('%016x', new.session), 'number', new.number, 'at', new.at,
    'author', new.author, 'what', new.what); END;

CREATE TEMP TRIGGER transcript_added AFTER INSERT ON main.transcripts
BEGIN INSERT INTO journaled (row) SELECT json_object(
    'row', 'transcript', 'session', printf('%016x', new.session), 'shell', new.shell,
    'file', new.file, 'started', new.started, 'ended', new.ended, 'bytes', new.bytes,
    'sha256', iif(new.sha256 IS NULL, NULL, lower(hex(new.sha256)))); END;

CREATE TEMP TRIGGER transcript_changed AFTER UPDATE ON main.transcripts
BEGIN INSERT INTO journaled (row) SELECT json_object(
    'row', 'transcript', 'session', printf('%016x', new.session), 'shell', new.shell,
    'file', new.file, 'started', new.started, 'ended', new.ended, 'bytes', new.bytes,
    'sha256', iif(new.sha256 IS NULL, NULL, lower(hex(new.sha256)))); END;

CREATE TEMP TRIGGER key_made AFTER INSERT ON main.session_keys
BEGIN INSERT INTO journaled (row) SELECT json_object(
    'row', 'key_made', 'ak', new.ak, 'digits', new.digits, 'account', new.account,
    'created', new.created, 'expires', new.expires); END;

CREATE TEMP TRIGGER key_gone AFTER DELETE ON main.session_keys
BEGIN INSERT INTO journaled (row) SELECT json_object('row', 'key_gone', 'ak', old.ak); END;

CREATE TEMP TRIGGER signed_in AFTER INSERT ON main.sign_ins
BEGIN INSERT INTO journaled (row) SELECT json_object(
    'row', 'signed_in', 'token', lower(hex(new.token)), 'account', new.account, 'csrf', new.csrf,
    'opened', new.opened); END;

CREATE TEMP TRIGGER signed_out AFTER DELETE ON main.sign_ins
BEGIN INSERT INTO journaled (row)
    SELECT json_object('row', 'signed_out', 'token', lower(hex(old.token))); END;

CREATE TEMP TRIGGER account_made AFTER INSERT ON main.accounts
BEGIN INSERT INTO journaled (row) SELECT json_object(
    'row', 'account', 'id', new.id, 'name', new.name, 'display_name', new.display_name,
    'administrator', json(iif(new.administrator, 'true', 'false')),
    'representative', json(iif(new.representative, 'true', 'false')),
    'disabled', json(iif(new.disabled, 'true', 'false')),
    'password_hash', new.password_hash, 'created', new.created); END;

CREATE TEMP TRIGGER account_changed AFTER UPDATE ON main.accounts
BEGIN INSERT INTO journaled (row) SELECT json_object(
    'row', 'account', 'id', new.id, 'name', new.name, 'display_name', new.display_name,
    'administrator', json(iif(new.administrator, 'true', 'false')),
    'representative', json(iif(new.representative, 'true', 'false')),
    'disabled', json(iif(new.disabled, 'true', 'false')),
    'password_hash', new.password_hash, 'created', new.created); END;

CREATE TEMP TRIGGER jump_client_enrolled AFTER INSERT ON main.jump_clients
BEGIN INSERT INTO journaled (row) SELECT json_object(
    'row', 'jump_client', 'id', printf('%016x', new.id), 'device', lower(hex(new.device)),
    'computer', new.computer, 'platform', new.platform,
    'deployment', lower(hex(new.deployment)), 'enrolled', new.enrolled); END;
