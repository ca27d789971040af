// Every sentence the scripts show, in one place. Another language is another file with this shape.

import type { Author, EndReason, Entry, Failure, Kind, Status } from "../link/messages.ts";
import { plural } from "./plural.ts";

const who = (by: Author): string => (by.role === "appliance" ? "The appliance" : by.name);

export const words = {
  product: "Jumpgate",

  kind: { client: "Customer client", chat: "Click-to-chat" } satisfies Record<Kind, string>,
  status: {
    waiting: "Waiting",
    in_progress: "In Progress",
    customer_absent: "Customer Absent",
  } satisfies Record<Status, string>,
  ended: "Ended",
  unnamed: "Customer",
  unknown: "Unknown",
  none: "None",
  now: "now",
  close: "Close",
  cancel: "Cancel",
  copied: "Copied",
  copyFailed: "Could not copy: select the text and press Ctrl+C",

  facts: {
    title: "Customer details",
    customer: "Customer",
    computer: "Computer",
    platform: "Platform",
    kind: "Type",
    status: "Status",
    publicAddress: "Public address",
    privateAddress: "Private address",
    since: "Time in the system",
    arrived: "Arrived",
    allowed: "Allowed tools",
    session: "Session",
    trust: "Names, platform and private address are what the customer's program says of itself.",
  },
  tool: { shell: "Command shell" },

  queue: {
    title: "Queues",
    personal: "Personal queue",
    waiting: (n: number) => plural(n, { one: "# waiting session", other: "# waiting sessions" }),
    explain: "Sessions that wait for you, and those you have accepted.",
    list: "Sessions in your personal queue",
    heads: {
      customer: "Customer and computer",
      platform: "Platform and type",
      status: "Status",
      address: "Public and private address",
      since: "Time in the system",
    },
    accept: "Accept",
    acceptNamed: (name: string) => `Accept ${name}`,
    open: "Open",
    openNamed: (name: string) => `Open the session with ${name}`,
    emptyTitle: "Nobody is waiting",
    empty:
      "Customers who use one of your session keys wait here until you accept them. Create a key and read it out, or send its link.",
    emptyButton: "Invite a customer",
    hide: "Hide the queues",
    show: "Show the queues",
    collapse: "Collapse the personal queue",
    expand: "Expand the personal queue",
    action: "Action",
    announce: (name: string) => `${name} is waiting`,
    announceMore: (n: number) => plural(n, { other: "# more" }),
    view: "View",
    dismiss: "Dismiss",
    titleCount: (n: number, title: string) => `(${n}) ${title}`,
  },

  key: {
    start: "Start New Session",
    title: "Start a new session",
    life: "The key expires after",
    explain: "Expiring only ends the key's use: a session started with it goes on as long as you like.",
    create: "Create Session Key",
    creating: "Creating a session key…",
    offline: "Not connected just now. The key can be created as soon as the connection is back.",
    readOut: "Read this key to your customer, who types it at",
    label: "Session key",
    copyKey: (digits: string) => `Session key ${digits.split("").join(" ")}, copy it`,
    orLink: "or send this link, which needs no typing",
    copyLink: "Copy the link",
    clickToCopy: "Click to copy",
    expiresIn: (time: string) => `Expires in ${time}`,
    expired: "This key has expired. Nobody can start a session with it any more.",
    once: "It works once.",
    another: "Create another",
  },

  tabs: {
    label: "Sessions",
    home: "Queue",
    unread: (n: number) => plural(n, { one: "# unread message", other: "# unread messages" }),
    close: (name: string) => `Close the tab of ${name}`,
    closeEnded: "Close tab",
  },

  session: {
    toolbar: "Session tools",
    with: (name: string) => `Session with ${name}`,
    shell: "Command Shell",
    details: "Details",
    chat: "Chat and Log",
    end: "End Session",
    hold: "Hold Session",
    more: "More",
    shells: "Shells",
    shellTab: (n: number) => `Shell ${n}`,
    shellClose: (n: number) => `Close shell ${n}`,
    shellOver: "This shell is over. You can still read and copy what it showed.",
    shellDismiss: "Put it away",
    shellPaused: "The customer's connection is gone. The shell waits and goes on when it is back.",
    shellGap: "Earlier output is not shown here; the session's report has all of it.",
    inputFull: "Too much was pasted at once; the rest was left out.",
    terminal: (n: number, name: string) => `Shell ${n} on ${name}'s computer`,
    idleTitle: "No tool is open",
    idle: (name: string) => `A command shell runs as the person at the other end, once ${name} allows it.`,
    idleAllowed: (name: string) => `${name} has allowed the command shell. It opens without asking again.`,
    idleButton: "Ask for a shell",
    idleButtonAllowed: "Open a shell",
    chatOnlyTitle: "This customer chats in a browser",
    chatOnly:
      "A browser has no tools. Ask the customer to start a session with the customer client if you need a command shell.",
    asking: (name: string) => `Waiting for ${name} to allow the command shell`,
    opening: "Opening a shell…",
    withdraw: "Withdraw",
    absent: (name: string) =>
      `${name}'s connection is gone. The session is kept; chat arrives when it is back.`,
    overKeep: "You can still read and copy everything here until you close the tab.",
    lostTitle: "This session is no longer with you",
    lost: "It ended or went back to a queue while you were not connected.",
    endTitle: (name: string) => `End the session with ${name}?`,
    endShells: (n: number) =>
      plural(n, {
        one: "# open shell closes, and what runs in it stops.",
        other: "# open shells close, and what runs in them stops.",
      }),
    endDraft: "The message you have not sent is lost.",
    endClient: (name: string) =>
      `The customer client removes itself from ${name}'s computer, which nobody can reach any more.`,
    endChat: (name: string) => `${name} can no longer write to you here.`,
    endKept: "The log and the shells' recordings stay in the reports.",
  },

  chat: {
    title: "Chat and log",
    resize: "Width of chat and log",
    log: "Chat and session log",
    message: (name: string) => `Message to ${name}`,
    placeholder: "Write a message",
    send: "Send",
    sent: "Recorded",
    sending: "Sending",
    returned: "The connection was lost before this was delivered. It is back in your box.",
    offline: "Not connected. What you type stays here.",
    tooLong: "Too long for one message.",
    empty: "What you both write, and everything that happens in the session, appears here.",
    newBelow: "New messages below",
    you: "You",
  },

  entry(entry: Entry): string {
    const name = who(entry.by);
    switch (entry.what) {
      case "arrived":
        return `${name} arrived.`;
      case "accepted":
        return `${name} accepted the session.`;
      case "chat":
        return entry.text;
      case "asked":
        return `${name} asked for the command shell.`;
      case "allowed":
        return `${name} allowed the command shell.`;
      case "refused":
        return `${name} refused the command shell.`;
      case "unanswered":
        return "Nobody answered in time, which refuses the command shell.";
      case "withdrawn":
        return `${name} withdrew the question for the command shell.`;
      case "shell_opened":
        return `Shell ${entry.shell} opened.`;
      case "shell_closed":
        return `Shell ${entry.shell} closed; ${plural(entry.open, { one: "# stays open", other: "# stay open" })}.`;
      case "shell_failed":
        return `No shell could be started: ${entry.reason}`;
      case "sharing_stopped":
        return `${name} stopped sharing. Everything allowed before is withdrawn.`;
      case "customer_lost":
        return `${name === "The appliance" ? "The customer" : name}'s connection is gone.`;
      case "customer_back":
        return `${name === "The appliance" ? "The customer" : name} is back.`;
      case "representative_lost":
        return `${name === "The appliance" ? "The representative" : name}'s connection is gone.`;
      case "representative_back":
        return `${name === "The appliance" ? "The representative" : name} is back.`;
      case "held":
        return `${name} put the session on hold.`;
      case "requeued":
        return "The representative did not come back in time; the session waits in the queue again.";
      case "appliance_restarted":
        return "The appliance started again while the session was running.";
      case "ended":
        return words.end[entry.reason];
    }
  },

  end: {
    representative: "The representative ended the session.",
    customer: "The customer left the session.",
    customer_lost: "The customer's connection was lost and did not come back.",
    limit: "The session reached a limit of the appliance and was ended.",
  } satisfies Record<EndReason, string>,

  failure: {
    no_session: "That session is over or no longer here.",
    not_owner: "Only the session's owner may do that.",
    taken: "Somebody else accepted this session first.",
    customer_absent: "The customer is away just now. Try again when they are back.",
    chat_only: "This customer chats in a browser, which has no tools.",
    asking: "The customer is being asked already.",
    limit: "A limit of the appliance is reached. Close something you no longer need first.",
    range: "The appliance does not accept this value.",
  } satisfies Record<Failure, string>,

  link: {
    connecting: "Connecting to the appliance…",
    lost: "The connection to the appliance is lost.",
    kept: (time: string) => `Your sessions are kept for another ${time}.`,
    notKept: "Your sessions may have gone back to the queue.",
    textKept: "Nothing you typed is lost.",
    trying: "Trying now…",
    retry: (time: string) => `Next try in ${time}.`,
    tryNow: "Try now",
    back: "Connected again.",
    online: "Connected",
    offline: "Not connected",
  },

  restart: {
    soon: "The appliance restarts for an update.",
    goesOn: "Your sessions go on by themselves afterwards.",
    in: (seconds: number) => `In ${seconds} s`,
    any: "Any moment now",
    now: "The appliance is restarting for an update.",
    comesBack: "This page and your sessions come back by themselves, mostly within a minute or two.",
    since: (time: string) => `Away for ${time}`,
  },

  newer: {
    title: "The appliance has a new version.",
    text: "This page loads itself again when you pause for a moment. Sessions, and what you typed, stay.",
    load: "Load it now",
  },

  closed: {
    replacedTitle: "This console was opened in another window",
    replaced: "One console at a time holds your sessions. They go on there; nothing was interrupted.",
    useHere: "Use it here",
    signedOutTitle: "You are signed out",
    signedOut: "Your sign-in ended or the account was closed. Open sessions are kept for a minute.",
    signIn: "Sign in",
    versionTitle: "This page is older than the appliance",
    version: "The appliance was updated. Load the page again to go on.",
    reload: "Load again",
    fullTitle: "The appliance has no room just now",
    full: "Too many connections are open. Try again in a minute.",
  },

  me: {
    menu: (name: string) => `${name}: account`,
    keys: "Keyboard shortcuts",
    signOut: "Sign out",
    signOutTitle: "Sign out with sessions open?",
    signOutBody: (n: number) =>
      plural(n, {
        one: "# session is open. It goes back to the queue when you do not come back within a minute.",
        other: "# sessions are open. They go back to the queue when you do not come back within a minute.",
      }),
  },

  keys: {
    title: "Keyboard shortcuts",
    explain:
      "Single keys work while no text box or shell has the focus; with Alt+Shift they work everywhere, in a shell too. What takes something away always needs Alt+Shift.",
    or: "or",
    groups: {
      everywhere: "Everywhere",
      queue: "Queue",
      session: "In a session",
      shell: "In a shell",
    },
    palette: "Find a session or a command",
    help: "Show these keys",
    next: "Next tab",
    previous: "Previous tab",
    number: "Go to the queue (0) or a session (1 to 9)",
    select: "Move in the list",
    accept: "Accept the selected session",
    toChat: "Write a message",
    toShell: "Go to the shell",
    nextShell: "Next shell",
    copy: "Copy what is selected",
    paste: "Paste",
    leave: "Leave the text box or close what floats",
    closeShell: "Close this shell",
  },

  palette: {
    label: "Find a session or a command",
    placeholder: "Session, computer or command",
    none: "Nothing matches.",
    session: "Session",
    command: "Command",
  },

  customer: {
    nameTitle: "Start the chat",
    name: "Your name",
    nameHint: "So that your technician knows who is there. You may leave it empty.",
    begin: "Start the chat",
    starting: "Connecting you…",
    waitingTitle: (name: string) => `Waiting for ${name}`,
    waiting: "You are in the queue. You can already write; it will be read when somebody is here.",
    with: (name: string) => `You are connected with ${name}`,
    sees: "They see only what you write here, nothing else on this device.",
    end: "End chat",
    endTitle: "End this chat?",
    endBody: "You will need a new session key to come back.",
    endYes: "End chat",
    endNo: "Keep chatting",
    log: "Conversation",
    message: "Your message",
    send: "Send",
    sending: "Sending…",
    lost: "The connection is lost. Trying to get you back…",
    lostText: "What you type stays here.",
    restartSoon: (seconds: number) =>
      seconds > 0
        ? `The support site restarts in ${seconds} s for an update.`
        : "The support site restarts for an update at any moment.",
    restartGoesOn: "Your conversation goes on by itself afterwards. Please leave this page open.",
    restarting: "The support site is restarting for an update. This takes a minute or two.",
    you: "You",
    appliance: "Note",
    overTitle: "This chat has ended",
    over: {
      representative: (name: string) => `${name} ended the chat.`,
      customer: () => "You ended the chat.",
      customer_lost: () => "Your connection was gone for too long.",
      limit: () => "The chat reached its limit and was ended.",
    } satisfies Record<EndReason, (name: string) => string>,
    overSafe: "The technician can no longer see anything you write or do. You can close this page.",
    again: "Start again with a new key",
    keyTitle: "This session key does not work",
    key: "It was used before, has expired, or was mistyped. Ask for a new one.",
    slowTitle: "Please wait a moment",
    slow: (time: string) => `There were too many tries from here. Try again in ${time}.`,
    fullTitle: "There is no room just now",
    full: "Many people are being helped at this moment. Try again in a few minutes.",
    unavailableTitle: "The support site is not ready",
    unavailable: "It will be back shortly. Your session key still works.",
    tryAgain: "Try again",
    puzzle: "Checking that you are a person. This takes a few seconds…",
    entry(entry: Entry, customer: string): string {
      const you = entry.by.role === "customer";
      const name = you ? customer : who(entry.by);
      switch (entry.what) {
        case "arrived":
          return "You joined the chat.";
        case "accepted":
          return `${name} joined the chat.`;
        case "chat":
          return entry.text;
        case "customer_lost":
          return "Your connection was lost.";
        case "customer_back":
          return "You are connected again.";
        case "representative_lost":
          return "The technician's connection was lost. Please wait a moment.";
        case "representative_back":
          return "The technician is back.";
        case "held":
          return "The technician put the chat on hold. You are in the queue again.";
        case "requeued":
          return "You are in the queue again. Somebody will be with you.";
        case "appliance_restarted":
          return "The support site started again. Nothing was lost.";
        case "ended":
          return entry.reason === "customer" ? "You ended the chat." : "The chat has ended.";
        default:
          return words.entry(entry);
      }
    },
  },

  portal: {
    working: "Checking that you are a person. This takes a few seconds…",
    solving: "Solving the puzzle. This takes a few seconds…",
    done: "Done. One moment…",
  },

  updates: {
    soFar: (bytes: string, of: string) => `${bytes} of ${of}`,
    speed: (size: string) => `${size}/s`,
    left: (time: string) => `${time} left`,
    local: (time: string, zone: string) => `${time} in ${zone}.`,
    silent:
      "The appliance does not answer just now. If it restarts, this page comes back by itself within some minutes.",
    restarting: (version: string) =>
      `The appliance is restarting into version ${version}. This page comes back by itself, mostly within a minute or two.`,
    examining: "Looking at the file…",
    notExamined: "The appliance did not answer. Nothing was written; choose the file again.",
    noUpdate: (file: string) => `${file} cannot be installed.`,
    version: (version: string) => `Version ${version}`,
    verdicts: { good: "Signed, for this appliance", warn: "Signed; has to be confirmed", bad: "Refused" },
    model: "For",
    built: "Built",
    size: "Size",
    channel: "Channel",
    channels: { development: "DEVELOPMENT, not for real customers", release: "Release" },
    notes: "What is new",
    notesOfFile: "What is new in this file",
    refused: "It is not installed.",
    failedBefore: "It was tried before and did not prove itself.",
    older: (version: string, running: string) =>
      `Version ${version} is not newer than version ${running}, which runs. I want it all the same.`,
    role: (role: string) => `the ${role} metadata`,
    expiredSince: (role: string, since: string) => `${role} since ${since}`,
    expired: (roles: string[]) =>
      `The time of this file is over: ${roles.join("; ")}. There may be a newer version that mends known faults. I want this one all the same.`,
    noClock:
      "No time server has confirmed this appliance's clock, so nobody can tell whether the file's time is over. I know where the file comes from.",
    install: (version: string) => `Install ${version}`,
    afterwards: "It is written to the slot that does not run. Support sessions go on; you choose afterwards when to restart.",
    sending: (version: string) =>
      `Version ${version} is being sent and written as it arrives. Keep this page open until that is done; how far it is stands above.`,
    cutOff:
      "The connection broke off before the appliance could answer. If nothing goes on above, choose the file again; what was written already is not sent in vain.",
    notInstalled: (version: string) => `Version ${version} was not installed.`,
  },

  player: {
    region: (title: string) => `Recording of ${title}`,
    loading: (size: string) => `Loading the recording… ${size}`,
    failed: "The recording could not be loaded. Load the page again to retry.",
    broken: "The recording cannot be read from this point on; what came before is shown.",
    empty: "This shell showed nothing.",
    play: "Play",
    pause: "Pause",
    again: "Play again",
    position: "Position",
    speed: "Speed",
    skip: "Shorten pauses",
    at: (time: string, total: string) => `${time} of ${total}`,
    keys: "Space plays and pauses, the arrow keys move by 5 seconds, Home and End jump.",
  },
};
