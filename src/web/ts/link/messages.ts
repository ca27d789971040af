// Control messages, as src/link/message.rs writes them: JSON on channel 0, named by `type`.

export type SessionId = string;
export type ShellId = number;
export type PromptId = number;
/** Milliseconds since 1970, UTC. */
export type Stamp = number;
export type Tool = "shell";
export type Kind = "client" | "chat";
export type Status = "waiting" | "in_progress" | "customer_absent";
export type EndReason = "representative" | "customer" | "customer_lost" | "limit";

export interface Facts {
  customer: string;
  computer: string;
  platform: string;
  private_address: string;
}

export type Author =
  | { role: "customer"; name: string }
  | { role: "representative"; name: string }
  | { role: "appliance" };

export type What =
  | { what: "arrived" | "accepted" | "sharing_stopped" }
  | { what: "customer_lost" | "customer_back" | "representative_lost" | "representative_back" }
  | { what: "held" | "requeued" | "appliance_restarted" }
  | { what: "chat"; text: string }
  | { what: "asked" | "allowed" | "refused" | "unanswered" | "withdrawn"; tool: Tool }
  | { what: "shell_opened"; shell: ShellId }
  | { what: "shell_closed"; shell: ShellId; open: number }
  | { what: "shell_failed"; reason: string }
  | { what: "ended"; reason: EndReason };

/** One line of a session's log, numbered from 1. */
export type Entry = { number: number; at: Stamp; by: Author } & What;

export interface SessionShellPosition {
  session: SessionId;
  shell: ShellId;
  received: number;
}

export interface PuzzleAnswer {
  challenge: string;
  answer: number;
}

export type Purpose =
  | { purpose: "start"; facts: Facts; puzzle?: PuzzleAnswer }
  | { purpose: "resume"; session: SessionId; token: string; entries: number; shells: [] }
  | { purpose: "console"; shells: SessionShellPosition[] };

export interface Hello {
  type: "hello";
  versions: [number, number];
  program: string;
  purpose: Purpose;
}

/** A peer's first message. */
export function hello(program: string, purpose: Purpose): Hello {
  return { type: "hello", versions: [1, 1], program, purpose };
}

export interface Welcome {
  type: "welcome";
  version: number;
  at: Stamp;
  keep_alive_seconds: number;
}

export type Turned = { type: "turned" } & (
  | { reason: "version"; versions: [number, number] }
  | { reason: "key" | "session" | "ticket" | "full" }
  | { reason: "slow_down"; retry_after_seconds: number }
  | { reason: "puzzle"; challenge: string; bits: number }
);

export type Failure =
  | "no_session"
  | "not_owner"
  | "taken"
  | "customer_absent"
  | "chat_only"
  | "asking"
  | "limit"
  | "range";

/** A session as a queue shows it. */
export interface Overview {
  session: SessionId;
  kind: Kind;
  status: Status;
  facts: Facts;
  public_address: string;
  since: Stamp;
  allowed: Tool[];
  shells: ShellId[];
}

export type FromConsole =
  | { type: "create_key"; request: number; seconds: number }
  | { type: "accept"; session: SessionId }
  | { type: "chat"; session: SessionId; text: string }
  | { type: "open_shell"; session: SessionId; columns: number; rows: number }
  | { type: "withdraw"; session: SessionId; prompt: PromptId }
  | { type: "resize_shell"; session: SessionId; shell: ShellId; columns: number; rows: number }
  | { type: "close_shell"; session: SessionId; shell: ShellId }
  | { type: "hold"; session: SessionId }
  | { type: "end"; session: SessionId };

export interface Key {
  type: "key";
  request: number;
  key: string;
  ak: string;
  expires: Stamp;
}

/** The appliance restarts for an update; none takes it back. Said again as long as it holds. */
export interface Restart {
  type: "restart";
  seconds: number | null;
}

export type ToConsole =
  | Welcome
  | Turned
  | { type: "desk"; name: string; key_seconds_max: number; sessions: SessionId[] }
  | ({ type: "session" } & Overview)
  | { type: "gone"; session: SessionId; reason: EndReason }
  | Key
  | { type: "log"; session: SessionId; entries: Entry[] }
  | { type: "entry"; session: SessionId; entry: Entry }
  | { type: "recorded"; session: SessionId; number: number }
  | { type: "asking"; session: SessionId; prompt: PromptId; tool: Tool; seconds: number }
  | { type: "ask_over"; session: SessionId; prompt: PromptId }
  | {
      type: "shell";
      session: SessionId;
      shell: ShellId;
      channel: number;
      send_from: number;
      receive_from: number;
    }
  | { type: "shell_pause"; session: SessionId; shell: ShellId }
  | { type: "shell_closed"; session: SessionId; shell: ShellId }
  | { type: "failed"; request: number; session?: SessionId; reason: Failure }
  | Restart
  | { type: "replaced" }
  | { type: "signed_out" };

export type FromCustomer = { type: "chat"; text: string } | { type: "leave" };

export type ToCustomer =
  | Welcome
  | Turned
  | {
      type: "session";
      session: SessionId;
      token?: string;
      customer: string;
      representative: string;
      accepted: boolean;
      allowed: Tool[];
    }
  | { type: "representative"; name: string; accepted: boolean }
  | ({ type: "entry" } & Entry)
  | { type: "recorded"; number: number }
  | { type: "ask"; prompt: PromptId; tool: Tool; representative: string; seconds: number }
  | { type: "ask_over"; prompt: PromptId }
  | Restart
  | { type: "ended"; reason: EndReason };
