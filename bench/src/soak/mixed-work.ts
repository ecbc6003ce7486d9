import { setTimeout as sleep } from "node:timers/promises";
import { CMDOPClient, CmdopError } from "@cmdop/sdk";

/**
 * A program that uses the SDK as programs do, until its standard input ends:
 * commands, sessions, files and cancellations at the machine that its key is
 * for, in the directory of its first argument. At the end it says how many of
 * each it did, and how many failed, as a line of JSON.
 */
const [, , directory = "", atOnceText = "4"] = process.argv;

const counts: Record<string, number> = {};
const failures: Record<string, number> = {};
const leaving = new AbortController();
process.stdin.on("data", () => undefined).on("end", () => leaving.abort());

/** Output of the larger commands, and the size of the larger files, in bytes. */
const LARGE_BYTES = 200_000;

/** Between two calls of one worker, in milliseconds: some ten calls a second in all. */
const PAUSE_MS = 300;

await using client = CMDOPClient.remote({ apiKey: process.env.CMDOP_API_KEY ?? "" });
const { terminal, files } = client;

const WORK: Readonly<Record<string, (turn: number) => Promise<unknown>>> = {
  command: () => terminal.execute("echo out; echo err >&2"),
  "large output": () => terminal.execute(`head -c ${LARGE_BYTES} /dev/zero | tr '\\0' x`),
  "standard input": () => terminal.execute("cat > /dev/null", { stdin: "y".repeat(20_000) }),
  "canceled command": async () => {
    const aborting = new AbortController();
    const running = terminal.execute("sleep 60", { signal: aborting.signal });
    setTimeout(() => aborting.abort(), 50);
    await running.catch((thrown) => {
      if (!aborting.signal.aborted) throw thrown;
    });
  },
  session: async () => {
    const session = await terminal.create({ shell: ["/bin/sh"] });
    try {
      await session.sendInput("echo there\n");
      await session.waitFor(/there\r?\n[^\n]*there|there\r?\n/);
      await session.screen();
    } finally {
      await session.close();
    }
  },
  files: async (turn) => {
    const file = `${directory}/file-${turn % 50}`;
    await files.write(file, "z".repeat(turn % 10 === 0 ? LARGE_BYTES : 100), { parents: true });
    await files.readText(file);
    await files.list(directory);
  },
  jobs: () => terminal.jobs(),
};

let turn = 0;
async function worker(): Promise<void> {
  while (!leaving.signal.aborted) {
    turn += 1;
    const kinds = Object.entries(WORK);
    const [kind, work] = kinds[turn % kinds.length] ?? ["", async () => undefined];
    try {
      await work(turn);
      counts[kind] = (counts[kind] ?? 0) + 1;
    } catch (thrown) {
      // Lines are cut all the time: some calls end without a certain outcome, and say so.
      const name = `${kind}: ${CmdopError.from(thrown).code}`;
      failures[name] = (failures[name] ?? 0) + 1;
    }
    await sleep(PAUSE_MS);
  }
}

await Promise.all(Array.from({ length: Number(atOnceText) }, worker));
process.stdout.write(`${JSON.stringify({ counts, failures })}\n`);
