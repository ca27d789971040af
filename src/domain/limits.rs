//! Every queue, buffer, retry and wait has its limit here, with its unit in its name.
//!
//! Limits that depend on each other say so at compile time, at the end.

use std::time::Duration;

// ---- link protocol ----

/// A frame in all: header and payload. One frame fits one TLS record (RFC 8446, 5.1: 2^14).
pub const FRAME_BYTES_MAX: usize = 16_384;
/// Kind, channel and length; see "Link protocol" in README.md.
pub const FRAME_HEADER_BYTES: usize = 8;
/// What is left for a payload.
pub const PAYLOAD_BYTES_MAX: usize = FRAME_BYTES_MAX - FRAME_HEADER_BYTES;
/// Bytes a sender may have on a channel beyond what the receiver has consumed. What a sender is given
/// at once is half of it; with an eighth of this, a relayed byte costs half as much again.
pub const WINDOW_BYTES: u64 = 512 * 1024;
/// A receiver renews credit once it consumed this much since it last did.
pub const CREDIT_STEP_BYTES: u64 = WINDOW_BYTES / 4;
/// Channels a link may have opened in its life; numbers are never used twice.
pub const CHANNELS_PER_LINK_MAX: u16 = 4_096;
/// Messages a peer may send at once; a person never comes near.
pub const MESSAGES_BURST_MAX: u32 = 500;
/// Messages a peer may go on sending, each second.
pub const MESSAGES_PER_SECOND_MAX: u32 = 100;
/// Bytes of a TLS handshake that wait for the end of a message. rustls takes messages of up to 64
/// KiB; a client's largest is its hello.
pub const HANDSHAKE_BYTES_MAX: usize = 96 * 1024;
/// A device's certificate: a key, a name, two dates and a signature.
pub const DEVICE_CERTIFICATE_BYTES_MAX: usize = 2_048;
/// TLS records in a row that carry nothing: alerts that only warn, key updates, padding.
pub const EMPTY_RECORDS_MAX: u32 = 32;
/// From connecting to a finished handshake and hello.
pub const HELLO_WITHIN: Duration = Duration::from_secs(10);
/// A link without traffic is asked for a sign of life this often.
pub const KEEP_ALIVE_EVERY: Duration = Duration::from_secs(60);
/// A link that gave no sign of life for this long is dead.
pub const SILENCE_MAX: Duration = Duration::from_secs(150);
/// Messages queued for one peer that does not read.
pub const CONTROL_BACKLOG_BYTES_MAX: usize = 512 * 1024;

// ---- front door ----

/// Connections that wait at a listener to be accepted. Those beyond it are not answered, and dial
/// again by themselves a second later. More would wait so long while thousands come at once that
/// they had given up when their turn came, and the work for them was in vain: so many handshakes
/// take a slow core less than half of [`HELLO_WITHIN`].
pub const LISTEN_BACKLOG: i32 = 1_024;
/// The first request's head: what common servers allow.
pub const HTTP_HEAD_BYTES_MAX: usize = 16 * 1024;
/// Header lines in the first request's head.
pub const HTTP_HEADERS_MAX: usize = 64;
/// A request body on the web side; forms and JSON only, nothing uploads yet.
pub const HTTP_BODY_BYTES_MAX: usize = 64 * 1024;
/// A connection that serves pages may be silent for this long before it is dropped.
pub const PAGE_IDLE_MAX: Duration = Duration::from_secs(75);
/// Bytes held for a page connection in each direction before the other side must read.
pub const PAGE_BACKLOG_BYTES_MAX: usize = 256 * 1024;
/// A connection that was closed may take this long to read what it was told.
pub const LINGER_MAX: Duration = Duration::from_secs(5);
/// A ring thread looks at its deadlines this often.
pub const SHARD_TICK: Duration = Duration::from_secs(1);
/// What the relay puts in front of a handed-over connection: signature, addresses and extensions.
pub const PREAMBLE_BYTES_MAX: usize = 536;
/// It has to arrive within this; only our own relay connects.
pub const PREAMBLE_WITHIN: Duration = Duration::from_secs(5);
/// Connections the web side serves at once; further ones wait.
pub const WEB_CONNECTIONS_MAX: usize = 8_192;
/// A request's head has to arrive within this, counted from the end of the request before it.
pub const REQUEST_HEAD_WITHIN: Duration = Duration::from_secs(30);
/// From a request's head to the head of its answer, the request's body included.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// Requests still running when the web side stops get this long.
pub const WEB_STOP_WITHIN: Duration = Duration::from_secs(1);
/// Jobs waiting for the web side's connection to the store.
pub const WEB_STORE_QUEUE_MAX: usize = 256;
/// Passwords hashed at once: each takes a core and 19 MiB.
pub const HASHES_AT_ONCE_MAX: usize = 2;
/// Bytes of a file read at a time while it is sent.
pub const FILE_PIECE_BYTES: usize = 128 * 1024;
/// Characters of a search.
pub const SEARCH_BYTES_MAX: usize = 200;
/// Connections one address may hold at once that are no links, at each ring thread: the kernel
/// spreads them, and threads share nothing.
pub const CONNECTIONS_PER_ADDRESS_MAX: usize = 512;

// ---- relay ----

/// Sockets that peers opened, at each ring thread: the kernel's own limit for a ring's table
/// (`IORING_MAX_FIXED_FILES` of older kernels).
pub const SOCKETS_PER_RING_MAX: u32 = 1 << 15;

/// Of them, what Jump Clients leave to everybody else.
pub const SOCKETS_RESERVED: u32 = 2_048;
/// Buffers that a ring thread keeps for what is sent next, sealed and unsealed ones each.
pub const POOLED_BUFFERS_MAX: usize = 16;
/// One above this is not kept: the half of a window that a sender is given at once, in records, and
/// what goes with it.
#[expect(clippy::cast_possible_truncation, reason = "a small constant")]
pub const POOLED_BYTES_MAX: usize = WINDOW_BYTES as usize / 2 + 32 * 1024;
/// Buffers that the kernel fills, of one ring thread.
pub const RECEIVE_BUFFERS_BYTES: usize = 16 * 128 * 1024;
/// Peers that are accepted at once at a listener; more wait in its backlog for the next turn.
pub const ACCEPTS_AT_ONCE: u16 = 16;
/// Connections of one ring thread that are neither links nor pages yet. When there are so many, the
/// next wait at the listener, and of these the first who are silent are closed, down to a half.
pub const ARRIVING_MAX: usize = 1_024;
/// Silence of a connection that is no link yet, when others want its place.
pub const SILENT_MAX: Duration = Duration::from_secs(1);
/// What one of them costs at its worst: a handshake in crumbs, and what TLS works with.
pub const ARRIVING_BYTES_MAX: usize = HANDSHAKE_BYTES_MAX + 32 * 1024;
/// What a link at rest costs, on the ring thread and at the hub, measured and rounded up (see
/// "memory per idle client" in `tests/bench/README.md`).
pub const LINK_BYTES: usize = 2 * 1024;
/// What the relay takes besides: its code, its threads, the store's cache.
pub const PROGRAM_BYTES: usize = 48 << 20;
/// After so many connections have been made, memory that they needed for a moment is given back.
pub const CONNECTIONS_BEFORE_TRIM: u32 = 256;

/// Events waiting for the hub from all shards together.
pub const HUB_QUEUE_MAX: usize = 4_096;
/// Orders and parcels waiting for one shard.
pub const SHARD_QUEUE_MAX: usize = 4_096;
/// Records waiting for the recorder.
pub const RECORDER_QUEUE_MAX: usize = 4_096;
/// Records committed by one transaction at most.
pub const RECORDER_BATCH_MAX: usize = 256;
/// Pieces of shell output waiting to be written to transcripts.
pub const TRANSCRIPT_QUEUE_MAX: usize = 128;
/// Bytes of such a piece: two frames.
pub const TRANSCRIPT_PIECE_BYTES_MAX: usize = 2 * FRAME_BYTES_MAX;
/// Control connections served at once (web, command line, supervisor).
pub const CONTROL_CONNECTIONS_MAX: usize = 64;
/// One request or reply on the control socket.
pub const CONTROL_BYTES_MAX: usize = 256 * 1024;
/// How long a program waits for a control reply.
pub const CONTROL_REPLY_WITHIN: Duration = Duration::from_secs(10);

// ---- sessions ----

/// The hub looks at its deadlines this often; every wait above is longer by far.
pub const HUB_TICK: Duration = Duration::from_millis(250);
/// A representative who lost the connection may come back within this (SL-02).
pub const REPRESENTATIVE_RETURN_WITHIN: Duration = Duration::from_secs(60);
/// A customer client that lost the connection keeps trying for this long.
pub const CUSTOMER_RETURN_WITHIN: Duration = Duration::from_secs(300);
/// After a restart that was announced it tries for longer: a new version has five minutes to prove
/// itself, and the machine three starts to come back to the one before.
pub const RESTART_RETURN_WITHIN: Duration = Duration::from_secs(20 * 60);
/// A consent prompt that nobody answers refuses after this.
pub const CONSENT_WITHIN: Duration = Duration::from_secs(60);
/// Sessions that are not over, in all.
pub const SESSIONS_MAX: usize = 4_000;
/// Sessions one representative may have waiting and running.
pub const SESSIONS_PER_REPRESENTATIVE_MAX: usize = 200;
/// Shells open at once in one session.
pub const SHELLS_PER_SESSION_MAX: usize = 16;
/// Entries of one session's log; a session that nearly reaches it is ended.
pub const ENTRIES_PER_SESSION_MAX: usize = 20_000;
/// Entries kept free for what one event and the end of a session write.
pub const ENTRIES_FOR_THE_END: usize = 100;
/// Entries sent again to a console that comes back.
pub const ENTRIES_REPLAYED_MAX: usize = 2_000;
/// JSON of a session's latest entries kept in memory.
pub const LOG_BYTES_KEPT_MAX: usize = 256 * 1024;
/// What a console that comes back is sent at once: the logs of all its sessions.
pub const CONSOLE_REPLAY_BYTES_MAX: usize = SESSIONS_PER_REPRESENTATIVE_MAX * LOG_BYTES_KEPT_MAX;
/// One chat message, UTF-8.
pub const CHAT_BYTES_MAX: usize = 4_000;
/// Names of representatives, customers and computers, UTF-8 (JC-13: 128 characters).
pub const NAME_BYTES_MAX: usize = 128;
/// A transcript stops growing here and says so; the shell is closed with it.
pub const TRANSCRIPT_BYTES_MAX: u64 = 4 * 1024 * 1024 * 1024;

// ---- Jump Clients ----

/// Jump Clients that an appliance knows: the largest model's active ones and the passive ones.
pub const JUMP_CLIENTS_MAX: usize = 75_000;
/// Jump Clients let in each second, unless an administrator chooses.
pub const ADMISSION_RATE_DEFAULT: u32 = 50;
/// What may be chosen, unless the limit is lifted.
pub const ADMISSION_RATE_MAX: u32 = 300;
/// What a pause leaves for those who come next.
pub const ADMISSION_BURST: Duration = Duration::from_secs(1);
/// Jump Clients that were told when to come.
pub const ADMISSION_TURNS_MAX: usize = JUMP_CLIENTS_MAX;
/// For so long after its turn a Jump Client still has it.
pub const ADMISSION_TURN_KEPT: Duration = Duration::from_secs(60);
/// A Jump Client says its statistics this often (JC-04).
pub const STATISTICS_EVERY: Duration = Duration::from_secs(60);
/// Deployments that can still be used.
pub const DEPLOYMENTS_MAX: usize = 1_000;
/// A deployment can be used for so long.
pub const DEPLOYMENT_LIFE_MAX: Duration = Duration::from_secs(365 * 24 * 60 * 60);

// ---- session keys ----

/// Digits of a key while nobody is guessing (PP-04).
pub const KEY_DIGITS: usize = 7;
/// Digits of a new key under the heaviest guessing.
pub const KEY_DIGITS_MAX: usize = 12;
/// Life of a key unless the representative chooses (PP-05).
pub const KEY_LIFE_DEFAULT: Duration = Duration::from_secs(10 * 60);
/// Longest life that may be chosen.
pub const KEY_LIFE_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// Unused keys one representative may have at once.
pub const KEYS_PER_REPRESENTATIVE_MAX: usize = 100;
/// Wrong keys one address may try within [`GUESS_WINDOW`].
pub const GUESSES_PER_ADDRESS_MAX: u32 = 10;
/// Over this time guesses are counted.
pub const GUESS_WINDOW: Duration = Duration::from_secs(10 * 60);
/// Wrong keys on the whole site within the window that make it ask for a puzzle.
pub const GUESSES_BEFORE_PUZZLE: u32 = 100;
/// Addresses whose guesses are remembered; beyond it the oldest is forgotten.
pub const GUESSERS_MAX: usize = 10_000;
/// Leading zero bits asked of the puzzle's SHA-256, about a second in a browser.
pub const PUZZLE_BITS: u8 = 16;
/// A puzzle must be solved within this.
pub const PUZZLE_WITHIN: Duration = Duration::from_secs(120);
/// A ticket opens one WebSocket, once, within this.
pub const TICKET_WITHIN: Duration = Duration::from_secs(30);
/// Tickets not yet used, in all.
pub const TICKETS_MAX: usize = 10_000;
/// Of those, what customers with a session key may hold.
pub const TICKETS_WITH_KEY_MAX: usize = TICKETS_MAX / 4 * 3;
/// Of those, what may be held by customers who say that they come back: anybody can say so.
pub const TICKETS_TO_COME_BACK_MAX: usize = TICKETS_MAX / 2;

// ---- accounts ----

/// Accounts on the appliance.
pub const ACCOUNTS_MAX: usize = 5_000;
/// Shortest password.
pub const PASSWORD_CHARS_MIN: usize = 10;
/// Longest password; hashing must not become a way to keep us busy.
pub const PASSWORD_BYTES_MAX: usize = 1_024;
/// Wrong passwords one address may try within [`SIGN_IN_WINDOW`].
pub const SIGN_INS_PER_ADDRESS_MAX: u32 = 20;
/// Wrong passwords for one account's name within the window; then a try costs a puzzle, except in
/// a browser that signed in to the account before. Also what such a browser may try.
pub const SIGN_INS_PER_ACCOUNT_MAX: u32 = 10;
/// Addresses and account names whose wrong passwords are remembered; beyond it the oldest is
/// forgotten.
pub const SIGN_IN_GUESSERS_MAX: usize = 10_000;
/// The hardest puzzle that signing in costs, in zero bits: some 15 seconds in a browser.
pub const SIGN_IN_PUZZLE_BITS_MAX: u8 = 20;
/// Time to solve it and to type the password again.
pub const SIGN_IN_PUZZLE_WITHIN: Duration = Duration::from_secs(10 * 60);
/// Used answers that are remembered, so that each counts once.
pub const PUZZLES_USED_MAX: usize = 10_000;
/// Over this time wrong passwords are counted.
pub const SIGN_IN_WINDOW: Duration = Duration::from_secs(10 * 60);
/// A sign-in ends after this without a request.
pub const SIGN_IN_IDLE_MAX: Duration = Duration::from_secs(8 * 60 * 60);
/// A sign-in ends after this whatever happens.
pub const SIGN_IN_LIFE_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// Browsers that are known to have signed in to one account; one more forgets the longest unseen.
pub const KNOWN_BROWSERS_PER_ACCOUNT_MAX: usize = 10;
/// A browser is forgotten this long after its last sign-in.
pub const KNOWN_BROWSER_LIFE: Duration = Duration::from_secs(180 * 24 * 60 * 60);

/// Browsers in which one account may be signed in; one more signs the oldest out.
pub const OPEN_SIGN_INS_PER_ACCOUNT_MAX: usize = 32;

// ---- store ----

/// A transaction waits this long for another process's to finish.
pub const STORE_BUSY_MAX: Duration = Duration::from_secs(5);
/// One row, and so one text: far more than any of ours.
pub const STORE_ROW_BYTES_MAX: i32 = 1024 * 1024;
/// What the write-ahead log is cut to once its content is in the store's file.
pub const STORE_WAL_KEPT_BYTES_MAX: i64 = 16 * 1024 * 1024;
/// One line of the journal beside the store: a row whose every byte is escaped.
pub const JOURNAL_LINE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// The journal beside the store ends when it has grown to this; going back to the generation before
/// loses what comes after. Years of support: a session is a few dozen KiB.
pub const JOURNAL_BYTES_MAX: u64 = 4 * 1024 * 1024 * 1024;
/// Rows of a journal that are taken over in one transaction, more or less.
pub const JOURNAL_ROWS_AT_ONCE: u64 = 2_000;
/// Generations of the store, and journals that were taken over, are kept this long after they were
/// last written; the generation before the present one is kept in any case.
pub const GENERATION_KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Copies of the store from before updates that are kept.
pub const BACKUPS_KEPT: usize = 3;
/// How long a copy of the store may take whoever asked for it.
pub const BACK_UP_WITHIN: Duration = Duration::from_secs(5 * 60);
/// Rows that a page shows unless somebody asks for more.
pub const PAGE_ROWS: usize = 50;
/// Rows of one page of a list.
pub const PAGE_ROWS_MAX: usize = 500;

// ---- transcripts ----

/// Text of one event; more output becomes several.
pub const TRANSCRIPT_EVENT_BYTES_MAX: usize = 16 * 1024;
/// One line of a transcript: what a reader has to hold.
pub const TRANSCRIPT_LINE_BYTES_MAX: usize = 128 * 1024;

// ---- running programs ----

/// Ctrl-C to nothing running.
pub const STOP_WITHIN: Duration = Duration::from_secs(2);
/// A program that was told to stop may finish for this long; then it is killed.
pub const STOP_POLITELY_WITHIN: Duration = Duration::from_millis(1_500);
/// A relay that another one takes over from puts everything on record and hands its connections over
/// within this; then it ends as it is.
pub const HAND_OVER_WITHIN: Duration = Duration::from_secs(10);
/// It waits for what its sockets have under way for this long. Who is not done by then comes back.
pub const SETTLED_WITHIN: Duration = Duration::from_millis(500);
/// A started program says within this that it serves, or is taken for broken.
pub const READY_WITHIN: Duration = Duration::from_secs(20);
/// The same for the relay of an image, which may have to copy its store and check the copy, or take
/// another version's journal over, first. Less than a slot has to prove itself.
pub const STORE_READY_WITHIN: Duration = Duration::from_secs(4 * 60);
/// The one line with which a program says that it serves.
pub const READY_BYTES_MAX: u64 = 4_096;
/// A program that served for this long is healthy: its next crash is a first one again.
pub const HEALTHY_AFTER: Duration = Duration::from_secs(60);
/// A program's log file is put aside at start once it is longer.
pub const LOG_BYTES_MAX: u64 = 10 * 1024 * 1024;
/// First wait before a crashed program is started again; doubles up to the next.
pub const RESTART_AFTER: Duration = Duration::from_millis(200);
/// Longest wait between restarts.
pub const RESTART_AFTER_MAX: Duration = Duration::from_secs(30);
/// First wait of an endpoint before it dials again; doubles, jittered.
pub const REDIAL_AFTER: Duration = Duration::from_millis(500);
/// The JSON of a pass behind a customer client.
pub const PASS_BYTES_MAX: usize = 1_024;
/// A host name (RFC 1035, 2.3.4).
pub const SITE_NAME_BYTES_MAX: usize = 253;
/// Longest wait between two dials of a customer client.
pub const REDIAL_AFTER_MAX: Duration = Duration::from_secs(15);
/// One attempt to reach the appliance: names, proxy, TCP and TLS together.
pub const DIAL_WITHIN: Duration = Duration::from_secs(15);
/// The longest wait between two dials while an appliance restarts as it said.
pub const REDIAL_IN_RESTART: Duration = Duration::from_millis(500);
/// Nobody hears a machine that is down say so: another attempt begins beside the one that waits.
pub const DIAL_BESIDE_AFTER: Duration = Duration::from_secs(1);
/// Attempts beside each other; then the oldest is given up.
pub const DIALS_AT_ONCE_MAX: usize = 5;

// ---- customer client ----

/// A customer client that never reached the appliance gives up after this.
pub const FIRST_LINK_WITHIN: Duration = Duration::from_secs(60);
/// A customer client that leaves waits this long for the appliance to say that it heard.
pub const LEAVE_WITHIN: Duration = Duration::from_secs(2);
/// Pressing Ctrl-C again within this ends the customer client without waiting for anything.
pub const CTRL_C_AGAIN_WITHIN: Duration = Duration::from_secs(2);
/// Chat that waits for the connection to come back.
pub const CHATS_UNSENT_MAX: usize = 50;
/// After a resume, chat that was under way is sent again unless it shows in the log by then.
pub const CHAT_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// The hardest puzzle a client solves, in zero bits: about a minute of one core.
pub const PUZZLE_BITS_MAX: u8 = 26;
/// A shell that was hung up is killed if it still runs after this.
pub const SHELL_HANG_UP_WITHIN: Duration = Duration::from_millis(500);
/// The next of an appliance's addresses is tried while the last one has not answered (RFC 8305,
/// 5, says 250 ms).
pub const NEXT_ADDRESS_AFTER: Duration = Duration::from_millis(250);
/// Addresses of one appliance that are tried.
pub const ADDRESSES_TRIED_MAX: usize = 8;
/// Lines waiting to be shown on a terminal that does not take them.
pub const TERMINAL_QUEUE_MAX: usize = 1_024;

// ---- running machine ----

/// A network interface's name: `IFNAMSIZ` less the zero at its end.
pub const INTERFACE_NAME_BYTES_MAX: usize = 15;
/// Servers that resolve names; the C library asks no more (`MAXNS`).
pub const NAME_SERVERS_MAX: usize = 3;
/// Network interfaces that are shown.
pub const INTERFACES_MAX: usize = 16;
/// Addresses of one interface that are shown.
pub const ADDRESSES_SHOWN_MAX: usize = 8;
/// A fault in plain words, on the console or a page.
pub const NOTICE_BYTES_MAX: usize = 240;
/// Files in a support bundle.
pub const BUNDLE_FILES_MAX: usize = 32;
/// The supervisor answers questions about the machine within this.
pub const MACHINE_REPLY_WITHIN: Duration = Duration::from_secs(10);
/// Writing a support bundle to a slow stick.
pub const SUPPORT_BUNDLE_WITHIN: Duration = Duration::from_secs(300);
/// Sticks, and parts of them, that are looked at for updates.
pub const STICKS_MAX: usize = 8;
/// Entries of a stick's first folder that are looked at.
pub const STICK_ENTRIES_MAX: usize = 2_000;
/// Updates on sticks that are shown.
pub const STICK_UPDATES_MAX: usize = 8;
/// Looking through all sticks. A damaged one takes half a minute to say so.
pub const STICK_LIST_WITHIN: Duration = Duration::from_secs(60);
/// Installing from a stick: the largest update at half a MiB a second, twice over.
pub const STICK_INSTALL_WITHIN: Duration = Duration::from_secs(45 * 60);
/// Of an update's notes, where there is room for a line only.
pub const NOTES_LINE_CHARS_MAX: usize = 200;
/// Servers that know the time; four find the one that is wrong.
pub const TIME_SERVERS_MAX: usize = 4;
/// The supervisor's main loop looks at its deadlines this often.
pub const MACHINE_TICK: Duration = Duration::from_secs(1);
/// Questions about the machine that are answered at once.
pub const MACHINE_CONNECTIONS_MAX: usize = 8;
/// One of them has to arrive within this.
pub const MACHINE_REQUEST_WITHIN: Duration = Duration::from_secs(5);
/// Questions that wait for the main loop.
pub const MACHINE_QUEUE_MAX: usize = 16;
/// A slot is good once its programs have served for this long without a fault.
pub const HEALTH_GATE: Duration = Duration::from_secs(10);
/// The same for a slot that was restarted because its programs crashed: longer than it may take
/// for that to show again.
pub const HEALTH_GATE_AFTER_CRASHES: Duration = Duration::from_secs(11 * 60);
/// A slot whose pages have not been served for that long by this time after its start, and the time
/// that [`HEALTH_GATE`] or [`HEALTH_GATE_AFTER_CRASHES`] takes, is as bad as one that crashes.
pub const HEALTHY_WITHIN: Duration = Duration::from_secs(10 * 60);
/// The relay is told that its version proved itself this often until it has heard it.
pub const PROVED_TOLD_EVERY: Duration = Duration::from_secs(5);
/// And that many times.
pub const PROVED_TOLD_MAX: usize = 100;
/// A version that is on trial has this long instead.
pub const TRIAL_WITHIN: Duration = Duration::from_secs(5 * 60);
/// Until then, a page is asked for this often.
pub const PROBE_EVERY: Duration = Duration::from_secs(2);
/// A session of the appliance with itself is over after this: two TLS handshakes and some bytes.
pub const LOOP_BACK_WITHIN: Duration = Duration::from_secs(30);
/// Carried from one end to the other in it: more than a window, so that credit has to come back.
pub const LOOP_BACK_BYTES: usize = 192 * 1024;
/// The root is read in pieces of this many bytes, with a rest after each.
pub const ROOT_READ_AT_ONCE: usize = 1 << 20;
/// That rest is no longer than this: the version on trial has to show it in time.
pub const ROOT_READ_REST_MAX: Duration = Duration::from_millis(100);
/// A page that is asked for has to come within this.
pub const PROBE_WITHIN: Duration = Duration::from_secs(10);
/// So many crashes of one program ...
pub const CRASHES_MAX: usize = 5;
/// ... within this are more than back-off cures.
pub const CRASHES_WINDOW: Duration = Duration::from_secs(10 * 60);
/// Links and addresses are looked at this often.
pub const NETWORK_LOOK_EVERY: Duration = Duration::from_secs(2);
/// The first start of all waits this long for an address to put into its certificate.
pub const FIRST_ADDRESS_WITHIN: Duration = Duration::from_secs(4);
/// One small tool of the base system.
pub const TOOL_WITHIN: Duration = Duration::from_secs(10);
/// A DHCP client that ended is started again after this.
pub const CLIENT_AGAIN_AFTER: Duration = Duration::from_secs(5);
/// A time server answers within this, or is left out.
pub const TIME_ANSWER_WITHIN: Duration = Duration::from_secs(3);
/// All of them, and the names before.
pub const TIME_ASKED_WITHIN: Duration = Duration::from_secs(40);
/// Time servers are asked this often; a usual clock is off by 50 ms then.
pub const TIME_ASKED_EVERY: Duration = Duration::from_secs(17 * 60);
/// The first wait after nobody answered; doubles up to the former.
pub const TIME_ASKED_AGAIN_AFTER: Duration = Duration::from_secs(8);
/// A clock that is off by less is left alone.
pub const CLOCK_OFF_MILLIS_MAX: u64 = 50;
/// What time servers agreed on is written down this often.
pub const CLOCK_KEPT_EVERY: Duration = Duration::from_secs(60 * 60);
/// With less than this the data partition is as good as full.
pub const DATA_FREE_BYTES_MIN: u64 = 32 << 20;
/// Kept free there, so that pages come up on a full disk. Less than the above: a disk with nothing
/// else free still counts as full.
pub const ROOM_BYTES: u64 = 24 << 20;
const _: () = assert!(ROOM_BYTES < DATA_FREE_BYTES_MIN);
/// Logs are looked at this often, whether one has grown too long.
pub const LOGS_LOOKED_AT_EVERY: Duration = Duration::from_secs(60);
/// A line of the kernel's log (`LOG_LINE_MAX` and what goes with it).
pub const KERNEL_LINE_BYTES_MAX: usize = 8 * 1_024;
/// A disk is wiped in steps of this, with a sign of life to the watchdog between.
pub const WIPE_STEP_BYTES: u64 = 64 << 20;
/// Making a file system on the largest disk.
pub const MAKE_WITHIN: Duration = Duration::from_secs(10 * 60);
/// Of each log, this much from its end goes into a support bundle.
pub const BUNDLE_LOG_BYTES_MAX: u64 = 2 << 20;
/// A small file of the system, as far as it is read.
pub const SMALL_FILE_BYTES_MAX: u64 = 64 * 1_024;

// ---- firmware ----

/// GRUB's environment block; a fixed size, because the boot loader cannot make a file longer.
pub const ENVIRONMENT_BYTES: usize = 1_024;
/// Of it, what we write: one sector, which a power cut leaves old or new but never mixed.
pub const ENVIRONMENT_USED_BYTES_MAX: usize = 512;
/// Boots that a slot gets to pass its health gate.
pub const TRIES: u8 = 3;
/// What the boot loader writes to tell the disk it booted.
pub const BOOT_STAMP_BYTES_MAX: usize = 64;
/// The kernel's own limit on x86 (`COMMAND_LINE_SIZE`).
pub const COMMAND_LINE_BYTES_MAX: usize = 2_048;
/// A slot's description, the image's own, or what `init` leaves for later programs.
pub const PAIRS_BYTES_MAX: usize = 4_096;
/// A version as people read it.
pub const VERSION_BYTES_MAX: usize = 64;
/// The state of the sources that an image was built from: a SHA-256 in digits.
pub const COMMIT_BYTES_MAX: usize = 64;
/// Sequence numbers and security epochs; GRUB compares signed numbers of 32 bits.
pub const SEQUENCE_MAX: u32 = i32::MAX as u32;
/// Blocks of the checked root and of its hash tree: a page.
pub const VERITY_BLOCK_BYTES: u64 = 4_096;
/// As long as a hash; more would not make it better.
pub const VERITY_SALT_BYTES_MAX: usize = 32;
/// A list of kernel modules: some hundred lines with a path or two.
pub const MODULE_LIST_BYTES_MAX: usize = 256 * 1_024;
/// From the last module to the booted disk: a slow controller with several disks to spin up.
pub const DISK_WITHIN: Duration = Duration::from_secs(30);
/// A disk that has the right GUID but not the right stamp is only taken if no other one came
/// within this.
pub const RIVAL_WITHIN: Duration = Duration::from_secs(5);
/// From a disk to its partitions, which the kernel reads on its own.
pub const PARTITIONS_WITHIN: Duration = Duration::from_secs(5);
/// While waiting for disks or tools we look this often.
pub const INIT_TICK: Duration = Duration::from_millis(20);
/// A watchdog that heard nothing for this long restarts the machine.
pub const WATCHDOG_TIMEOUT: Duration = Duration::from_secs(60);
/// While waiting it is told this often that all is well.
pub const WATCHDOG_FED_EVERY: Duration = Duration::from_secs(5);
/// The check of one file system; some terabytes with many files after a crash.
pub const CHECK_WITHIN: Duration = Duration::from_secs(30 * 60);
/// Rounds of repairing a file system; two were needed after its superblock was lost.
pub const REPAIR_ROUNDS_MAX: usize = 3;
/// A failed start can be read for this long before the machine restarts.
pub const RESTART_AFTER_FAILED_START: Duration = Duration::from_secs(5);

/// What an installation stick writes in one piece, and tells the watchdog between: a slow stick
/// takes a second for as much.
pub const INSTALL_CHUNK_BYTES: usize = 1 << 20;
/// While waiting for somebody at the keyboard we look this often.
pub const INSTALL_TICK: Duration = Duration::from_millis(100);
/// When no further disk came for this long, those that are there are all: several spin up one after
/// the other.
pub const DISKS_SETTLED_AFTER: Duration = Duration::from_secs(4);
/// A disk that takes longer for one piece, with all its own attempts, will not take it at all.
pub const INSTALL_CHUNK_WITHIN: Duration = Duration::from_secs(5 * 60);
/// A terminal that takes no more (somebody stopped it with Ctrl-S) loses what comes.
pub const TERMINAL_WITHIN: Duration = Duration::from_secs(1);
/// A typed answer.
pub const ANSWER_BYTES_MAX: usize = 128;
/// What is in the file that lets a stick install without asking: a serial number.
pub const UNATTENDED_BYTES_MAX: usize = 128;
/// Of what a disk, or a partition on it, calls itself, as much as fits a line with the rest.
pub const DISK_WORDS_MAX: usize = 40;

// ---- updates ----

/// What is checked, written and read back in one piece.
pub const CHUNK_BYTES: usize = 1 << 20;
/// Chunks of a new version that are being written at once: one alone leaves the disk waiting for us.
pub const UPDATE_WRITES_MAX: usize = 4;
/// A manifest: 64 digits for each chunk of the largest payload, and the notes.
pub const MANIFEST_BYTES_MAX: usize = 128 * 1_024;
/// What is new in a version, as people read it.
pub const NOTES_BYTES_MAX: usize = 16 * 1_024;
/// A slot's partition (`SLOT_MIB` in `board/common/board.env`).
pub const ROOT_BYTES_MAX: u64 = 256 << 20;
/// Kernel or initramfs: of both, two slots and recovery fit the boot partition.
pub const BOOT_FILE_BYTES_MAX: u64 = 32 << 20;
/// A slot's description, or a signature.
pub const SLOT_TEXT_BYTES_MAX: u64 = 4_096;
/// What an update file begins with: name, and the metadata's length and hash.
pub const BUNDLE_HEADER_BYTES: usize = 52;
/// Everything in an update that comes before the payload: metadata of several roots' lives.
pub const BUNDLE_METADATA_BYTES_MAX: usize = 4 << 20;
/// Files in it.
pub const BUNDLE_ENTRIES_MAX: usize = 1_200;
/// The name of one.
pub const BUNDLE_NAME_BYTES_MAX: usize = 100;
/// Where versions come from: an address.
pub const UPDATE_SOURCE_BYTES_MAX: usize = 200;
/// What happened to versions, as far as it is kept and shown.
pub const UPDATE_HISTORY_SHOWN_MAX: usize = 30;
/// Keys that signed for a version, as far as they are on record.
pub const UPDATE_KEYS_MAX: usize = 4;
/// Versions that did not prove themselves are remembered, this many of them.
pub const FAILED_VERSIONS_MAX: usize = 50;
/// The source of versions is asked this often, unless nobody wants to know.
pub const UPDATE_CHECK_EVERY: Duration = Duration::from_secs(24 * 60 * 60);
/// Between saying that the machine restarts and its restart: time to finish a sentence.
pub const UPDATE_RESTART_NOTICE: Duration = Duration::from_secs(15);
/// A window for restarts is open for this long.
pub const UPDATE_WINDOW: Duration = Duration::from_secs(2 * 60 * 60);
/// The agent looks at the clock this often.
pub const UPDATE_TICK: Duration = Duration::from_secs(5);
/// Days until a window that opens once a week.
pub const UPDATE_WINDOWS_AHEAD_MAX: i64 = 7;
/// Connections to the agent at once: pages, a console, a stick.
pub const UPDATE_CONNECTIONS_MAX: usize = 8;
/// Signing in waits this long for what is new in a version.
pub const NEWS_WITHIN: Duration = Duration::from_secs(2);
/// Sessions that a restart would interrupt, as far as they are named.
pub const UPDATE_SESSIONS_NAMED_MAX: usize = 12;
/// Somebody who hands in an update and says nothing for this long has gone.
pub const UPDATE_SUBMIT_STALL_MAX: Duration = Duration::from_secs(60);
/// Whoever waits for the agent's answer looks this often at how far it is.
pub const UPDATE_LOOK_EVERY: Duration = Duration::from_secs(1);
/// An agent whose status has been the same for this long will not answer any more: a disk takes
/// minutes for a piece at its worst.
pub const UPDATE_SILENCE_MAX: Duration = Duration::from_secs(5 * 60);
/// A browser that waits for an answer gets a sign of life this often.
pub const UPDATE_SIGN_OF_LIFE_EVERY: Duration = Duration::from_secs(10);
/// An order of the page's that takes longer goes on without it; the page shows how far it is.
pub const UPDATE_ORDER_SHOWN_AFTER: Duration = Duration::from_secs(3);
/// After a check that failed, the source is asked again this much later.
pub const UPDATE_CHECK_AGAIN_AFTER: Duration = Duration::from_secs(30 * 60);
/// The first check comes this long after the agent's start: sessions come back first.
pub const UPDATE_FIRST_CHECK_AFTER: Duration = Duration::from_secs(2 * 60);
/// A check has asked for the last file within this.
pub const UPDATE_CHECK_WITHIN: Duration = Duration::from_secs(2 * 60);
/// A transfer from the source is taken up again this often before it is given up until the next check.
pub const UPDATE_FETCH_TRIES_MAX: u32 = 8;
/// Before a transfer is taken up again for the first time; twice as long each time after that.
pub const UPDATE_FETCH_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// A value that the agent's writer keeps: trusted metadata is the largest.
pub const KEPT_BYTES_MAX: usize = 8 << 20;
/// A message between the agent's processes: a kept value, or a chunk, and what says so.
pub const AGENT_FRAME_BYTES_MAX: usize = KEPT_BYTES_MAX + 1_024;
/// Newer root metadata is fetched, and kept, up to this length: some dozen keys with a few words each.
pub const TRUST_ROOT_BYTES_MAX: u64 = 512 * 1_024;
/// One line about the snapshot.
pub const TRUST_TIMESTAMP_BYTES_MAX: u64 = 16 * 1_024;
/// A line for each list of targets.
pub const TRUST_SNAPSHOT_BYTES_MAX: u64 = 1_024 * 1_024;
/// A list of targets, or a delegated one: some thousand files with their hashes.
pub const TRUST_TARGETS_BYTES_MAX: u64 = 2 * 1_024 * 1_024;
/// New roots in one update: an appliance that was off for years catches up.
pub const TRUST_ROOTS_MAX: u64 = 256;
/// Roles that are looked through for one target, the top one included.
pub const TRUST_ROLES_VISITED_MAX: usize = 32;
/// Keys in one piece of metadata, and key ids of one role.
pub const TRUST_KEYS_MAX: usize = 64;
/// Signatures below one piece of metadata; each costs a verification.
pub const TRUST_SIGNATURES_MAX: usize = 64;
/// A delegated role's name, which becomes part of a file's.
pub const TRUST_ROLE_NAME_BYTES_MAX: usize = 64;
/// A target's name with its folders.
pub const TRUST_TARGET_NAME_BYTES_MAX: usize = 512;
/// Objects and lists within each other; metadata needs nine, and a target's own words some more.
pub const TRUST_JSON_DEPTH_MAX: usize = 32;
/// Values in one piece of metadata: what it becomes in memory stays below 16 MiB.
pub const TRUST_JSON_VALUES_MAX: usize = 100_000;

/// From asking for a connection to having one, TLS included, for each address of a name.
pub const FETCH_CONNECT_WITHIN: Duration = Duration::from_secs(20);
/// A server that has the file begins to send it within this.
pub const FETCH_ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// A transfer that stands still for this long has ended; it is resumed.
pub const FETCH_STALL_MAX: Duration = Duration::from_secs(30);
/// A transfer slower than this is given up: an endless trickle is an attack as well.
pub const FETCH_BYTES_PER_S_MIN: u64 = 1_024;
/// What is judged by that speed has lasted for this long.
pub const FETCH_SLOW_AFTER: Duration = Duration::from_secs(60);
/// What the fetcher hands over in one piece.
pub const FETCH_PART_BYTES: usize = 64 * 1_024;
/// A fetcher that says nothing for this long hangs: names, connections and redirects take their time.
pub const FETCH_HEARD_WITHIN: Duration = Duration::from_secs(2 * 60);
/// Certificates of authorities that an image trusts besides the public ones, as a file.
pub const FETCH_AUTHORITIES_BYTES_MAX: usize = 64 * 1_024;
/// Servers that hand on to others.
pub const FETCH_REDIRECTS_MAX: u32 = 5;

// A page's connection counts as silent later than that.
const _: () = assert!(UPDATE_SIGN_OF_LIFE_EVERY.as_secs() * 4 < PAGE_IDLE_MAX.as_secs());
// A sign of life may come late three times.
const _: () = assert!(WATCHDOG_FED_EVERY.as_secs() * 4 < WATCHDOG_TIMEOUT.as_secs());
// A crash that shows again within its window shows before the slot counts as good again.
const _: () = assert!(HEALTH_GATE_AFTER_CRASHES.as_secs() > CRASHES_WINDOW.as_secs());
// The main loop feeds the watchdog.
const _: () = assert!(MACHINE_TICK.as_secs() * 5 <= WATCHDOG_FED_EVERY.as_secs());
// A stopping web side lets its requests finish before the supervisor loses patience.
const _: () = assert!(WEB_STOP_WITHIN.as_millis() < STOP_POLITELY_WITHIN.as_millis());
// The decoder never joins two records' worth of frame, and a full frame always fits the window.
const _: () = assert!(FRAME_BYTES_MAX as u64 <= WINDOW_BYTES);
const _: () = assert!(CHAT_BYTES_MAX * 2 < PAYLOAD_BYTES_MAX);
// One event closes every shell at most, and so does the end.
const _: () = assert!(ENTRIES_FOR_THE_END > 2 * SHELLS_PER_SESSION_MAX + 10);
// JSON writes a control character as six bytes; time, kind and punctuation take a hundred at most.
const _: () = assert!(TRANSCRIPT_EVENT_BYTES_MAX * 6 + 100 <= TRANSCRIPT_LINE_BYTES_MAX);
// Killing what did not stop politely fits into the time promised for Ctrl-C.
const _: () = assert!(STOP_POLITELY_WITHIN.as_millis() + 250 <= STOP_WITHIN.as_millis());
// A silent peer is asked at least twice before it is given up.
const _: () = assert!(SILENCE_MAX.as_secs() > 2 * KEEP_ALIVE_EVERY.as_secs());
// 1,000 guesses in ten minutes from distinct addresses against 10 keys of 7 digits stay below
// 1 in 1,000; the puzzle begins long before.
const _: () = assert!(GUESSES_BEFORE_PUZZLE < 1_000);
