// A real appliance for one test: the supervisor with a state folder and ports of its own, or one
// that tests/boot has booted.

import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, chmod } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { until } from "./until.mjs";

const target = process.env.CARGO_TARGET_DIR ?? resolve(import.meta.dirname, "../../../target");
const programs = process.env.JUMPGATE_PROGRAMS ?? join(target, "release");

/** Where a booted one is reached and set up, and what it says that it is; or nothing. */
export const booted = process.env.JUMPGATE_BOOTED && JSON.parse(process.env.JUMPGATE_BOOTED);

/** A name for people and what they say, to be found again wherever it is kept. */
export const canary = process.env.JUMPGATE_CANARY ?? "";

/** One that nobody here can look into. */
async function bootedAppliance() {
  const state = await mkdtemp(join(tmpdir(), "jumpgate-browser-"));
  const stop = () => rm(state, { recursive: true, force: true });
  return { state: join(state, "s"), url: booted.url, setupUrl: booted.setupUrl, stop };
}

/** Starts one, as that image of a firmware, and waits until it serves. */
export async function startAppliance(...image) {
  if (booted) return bootedAppliance();
  const state = await mkdtemp(join(tmpdir(), "jumpgate-browser-"));
  // Reachable for the programs' own users.
  await chmod(state, 0o711);
  const appliance = { state: join(state, "s") };
  appliance.ready = async () => JSON.parse(await readFile(join(appliance.state, "ready.json"), "utf8"));
  appliance.log = (name) => readFile(join(appliance.state, "log", `${name}.log`), "utf8");
  appliance.up = async (...words) => {
    const child = spawn(join(programs, "supervisor"), ["--state", appliance.state, ...words], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    let said = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => (said += text));
    Object.assign(appliance, { child, said: () => said });
    return until("the appliance serves", 30_000, async () => {
      if (child.exitCode !== null) throw new Error(`the supervisor ended: ${said}`);
      return appliance.ready().catch(() => undefined);
    });
  };
  appliance.down = async () => {
    const { child } = appliance;
    const ended = new Promise((done) => child.once("exit", done));
    if (child.exitCode !== null) return;
    child.kill("SIGINT");
    await ended;
  };
  /** Asks the relay, as root does: a length and JSON. */
  appliance.ask = (request) =>
    new Promise((done, failed) => {
      const body = Buffer.from(JSON.stringify(request));
      const length = Buffer.alloc(4);
      length.writeUInt32BE(body.length);
      const socket = connect(join(appliance.state, "run", "control.sock"), () => socket.write(Buffer.concat([length, body])));
      socket.once("data", (answer) => {
        socket.end();
        done(JSON.parse(answer.subarray(4).toString()));
      });
      socket.once("error", failed);
    });
  const ready = await appliance.up("--https-port", "0", "--http-port", "0", ...image);
  appliance.url = ready.url.replace(/\/$/, "");
  appliance.setupUrl = ready.setup_url;
  appliance.stop = async () => {
    await appliance.down();
    await rm(state, { recursive: true, force: true });
  };
  return appliance;
}
