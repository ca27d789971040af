// A stand-in for the update agent, where there is no image: it speaks the real protocol on the real
// socket (src/control/update.rs) and takes a file as slowly as a disk would.

import { createHash } from "node:crypto";
import { chmod, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";

const MAGIC = "JUMPGATE UPDATE1";
const RUNNING = "1.4.0";
const NEWER = "1.5.0";
export const NOTES = "Support sessions go on after an update.\nShells keep running meanwhile.";

const offer = {
  version: NEWER, sequence: 15, model: "b300", channel: "release", built: Date.UTC(2026, 10, 20, 9, 30),
  notes: NOTES, bytes: 48 << 20, failed_before: false,
};

const slot = (system, version, state) => ({ system, version, ...state });

/** As the supervisor writes it. */
const facts = (runs, slots) => ({
  hardware: {
    model: "b300", shortfall: null, product: "B300", serial: "SN-000001", memory_mib: 16_384,
    memory_used_mib: 190, cores: 8,
  },
  image: { version: runs === "a" ? RUNNING : NEWER, built: offer.built, commit: "a8b32d9c41e0", channel: "release", backend: null },
  boot: { slot: { system: runs }, disk: "sda", watchdogs: 1, slots },
  health: { health: "good" },
  network: {
    interfaces: [], used: "eth0", addresses: ["192.0.2.7"], gateways: ["192.0.2.1"], dns: [], ntp: [], trouble: null,
  },
  clock: { source: "ntp", confirmed: offer.built, floor: offer.built },
  storage: { bytes: 1 << 30, free_bytes: 1 << 29, trouble: null },
  rescue: null,
});

/** An update file of so many bytes of payload. */
export function updateFile(bytes) {
  const metadata = Buffer.from(JSON.stringify(offer));
  const header = Buffer.alloc(52);
  header.write(MAGIC);
  header.writeUInt32BE(metadata.length, 16);
  createHash("sha256").update(metadata).digest().copy(header, 20);
  return Buffer.concat([header, metadata, Buffer.alloc(bytes, 7)]);
}

export async function startAgent(appliance) {
  const status = {
    phase: { phase: "idle" }, offer: null, checked: null,
    settings: { automatic: "install", window: { day: null, minute: 120 }, line: "stable", source: null },
    source: null, history: [], root_version: 3, security_epoch: 1, blocked: null, news: null,
  };
  const run = join(appliance.state, "run");
  const describe = (runs, slots) => writeFile(join(run, "machine.json"), JSON.stringify(facts(runs, slots)));
  const good = { state: "good", tries_left: 3 };
  await describe("a", [slot("a", RUNNING, good), slot("b", "1.3.2", good)]);
  const note = (what) => status.history.unshift({
    at: Date.now(), who: { account: "admin", address: "192.0.2.30:50000", way: "page" }, version: NEWER,
    from: RUNNING, what, why: null, manifest: null, keys: [],
  });
  const halts = {};
  const agent = {
    status,
    /** Stays in the middle of a phase until the returned function is called. */
    halt(phase) {
      let goOn;
      halts[phase] = new Promise((done) => (goOn = done));
      return goOn;
    },
    /** Lets so many bytes of an upload in for each step. */
    piece: 2 << 20,
    /** Started into the new version, which proved itself. */
    async proved() {
      status.phase = { phase: "idle" };
      note("proved");
      status.news = { version: NEWER, notes: NOTES };
      await describe("b", [slot("a", RUNNING, good), slot("b", NEWER, good)]);
    },
    stop: () => server.close(),
  };

  async function install(bytes, read) {
    const begun = Date.now();
    note("began");
    for (let got = 0; got < bytes; ) {
      got += (await read(Math.min(agent.piece, bytes - got))).length;
      status.phase = { phase: "writing", version: NEWER, bytes: got, of: bytes, millis: Date.now() - begun };
      await new Promise((done) => setTimeout(done, 150));
      // Later than the first second, before which there is no speed to show.
      if (got >= bytes * 0.75) await halts.writing;
    }
    for (let at = 1; at <= 10; at++) {
      status.phase = { phase: "reading_back", version: NEWER, bytes: Math.floor((bytes * at) / 10), of: bytes, millis: at * 150 };
      await new Promise((done) => setTimeout(done, 150));
      if (at === 5) await halts.reading_back;
    }
    status.phase = { phase: "ready", version: NEWER, slot: "b", restart: null };
    note("ready");
    await describe("a", [slot("a", RUNNING, good), slot("b", NEWER, { state: "on_trial", tries_left: 3 })]);
  }

  async function answer(request, read) {
    switch (request.request) {
      case "status":
        return { reply: "status", ...status };
      case "examine": {
        const begin = await read(request.bytes);
        if (!begin.toString("latin1").startsWith(MAGIC)) {
          return { reply: "refused", why: "this is not an update file: choose one whose name ends in .update" };
        }
        return { reply: "verdict", offer, needs: { older: false, expired: false }, expired: [], refused: null };
      }
      case "install":
        await install(request.bytes, read);
        return { reply: "done" };
      case "restart":
        status.phase.restart = request.when.when === "now" ? Date.now() + 15_000 : null;
        if (request.when.when === "now") await appliance.ask({ request: "announce", restart: status.phase.restart });
        return { reply: "done" };
      default:
        return { reply: "done" };
    }
  }

  const server = createServer(async (socket) => {
    let waiting = Buffer.alloc(0);
    let wake = () => undefined;
    for (const event of ["readable", "end", "close"]) socket.on(event, () => wake());
    const read = async (bytes) => {
      while (waiting.length < bytes) {
        const more = socket.read();
        if (more) waiting = Buffer.concat([waiting, more]);
        else if (socket.readableEnded || socket.destroyed) throw new Error("cut off");
        else await new Promise((done) => (wake = done));
      }
      const taken = waiting.subarray(0, bytes);
      waiting = waiting.subarray(bytes);
      return taken;
    };
    socket.on("error", () => undefined);
    try {
      const length = (await read(4)).readUInt32BE();
      const reply = Buffer.from(JSON.stringify(await answer(JSON.parse((await read(length)).toString()), read)));
      const header = Buffer.alloc(4);
      header.writeUInt32BE(reply.length);
      socket.end(Buffer.concat([header, reply]));
    } catch {
      socket.destroy();
    }
  });
  const path = join(run, "update.sock");
  await new Promise((done) => server.listen(path, done));
  // Web runs under its own user.
  await chmod(path, 0o666);
  return agent;
}
