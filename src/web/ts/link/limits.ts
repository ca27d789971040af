// The numbers of src/domain/limits.rs that both ends of a link have to agree on.

/** Kind, channel and length. */
export const FRAME_HEADER_BYTES = 8;
/** A frame in all: header and payload. */
export const FRAME_BYTES_MAX = 16_384;
export const PAYLOAD_BYTES_MAX = FRAME_BYTES_MAX - FRAME_HEADER_BYTES;
/** Bytes a sender may have on a channel beyond what the receiver has consumed. */
export const WINDOW_BYTES = 512 * 1024;
/** A receiver renews credit once it consumed this much since it last did. */
export const CREDIT_STEP_BYTES = WINDOW_BYTES / 4;
export const CHANNELS_PER_LINK_MAX = 4_096;
/** A link that gave no sign of life for this long is dead. */
export const SILENCE_MS_MAX = 150_000;
/** One chat message, UTF-8. */
export const CHAT_BYTES_MAX = 4_000;
/** A customer's name, UTF-8. */
export const NAME_BYTES_MAX = 128;
/** A representative who lost the connection may come back within this. */
export const RETURN_WITHIN_MS = 60_000;
export const SHELLS_PER_SESSION_MAX = 16;
/** Life of a session key unless the representative chooses. */
export const KEY_SECONDS_DEFAULT = 600;
/** First wait before dialling again; doubles, jittered, up to the next. */
export const REDIAL_MS = 500;
/** Shorter than an endpoint's: a representative has 60 s in all. */
export const REDIAL_MS_MAX = 8_000;
/** The longest wait between two tries while the appliance restarts as it said. */
export const REDIAL_IN_RESTART_MS = 500;
/** A machine that is down answers nothing: another try begins beside the one that waits. */
export const DIAL_BESIDE_MS = 1_000;
/** Tries beside each other; a browser has six connections to a place. */
export const DIALS_AT_ONCE_MAX = 4;
/** From asking for a ticket to the welcome. */
export const DIAL_MS_MAX = 10_000;
/** Typed or pasted input that waits for credit, beyond what {@link WINDOW_BYTES} holds. */
export const INPUT_BACKLOG_BYTES_MAX = 4 * 1024 * 1024;
/** Entries a page keeps of one log. */
export const ENTRIES_SHOWN_MAX = 4_000;
