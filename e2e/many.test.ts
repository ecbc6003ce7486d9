import { type ChildProcess, spawn } from "node:child_process";
import path from "node:path";
import type { CMDOPClient } from "@cmdop/sdk";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Cluster } from "./support/cluster.ts";
import { waitUntil } from "./support/wait.ts";

/** Short commands in terminals, and how many of them at a time. */
const SHORT_COMMANDS = Number(process.env.CMDOP_TEST_COMMANDS ?? 300);
const AT_A_TIME = 8;

/** Loops that keep this machine's cores busy: CI has two. */
const BUSY_LOOPS = 2;

/** Sessions, and as many execs, at once on one agent: one key's whole share of the sessions. */
const AT_ONCE = 128;

let cluster: Cluster;
let client: CMDOPClient;

beforeEach(async () => {
  cluster = await Cluster.start();
  await cluster.addMachine("web-1");
  client = await cluster.client(["terminal"]);
});
afterEach(async () => {
  await client.close();
  await cluster[Symbol.asyncDispose]();
});

describe("many jobs", () => {
  it(`promise 3: ${SHORT_COMMANDS} short commands in terminals, both cores busy: each last line arrives`, async () => {
    const busy = Array.from({ length: BUSY_LOOPS }, busyLoop);
    try {
      const wrong: string[] = [];
      let next = 0;
      const worker = async (): Promise<void> => {
        while (next < SHORT_COMMANDS) {
          const number = next++;
          const seen = await shortCommand(`seq 1 20; printf 'last line of ${number}'; exit ${number % 100}`);
          if (!seen.startsWith("1\r\n2\r\n") || !seen.endsWith(`20\r\nlast line of ${number}`))
            wrong.push(seen);
        }
      };
      await Promise.all(Array.from({ length: AT_A_TIME }, worker));
      expect(wrong).toEqual([]);
    } finally {
      for (const child of busy) child.kill("SIGKILL");
    }
  });

  it(`promise 1: ${AT_ONCE} sessions and ${AT_ONCE} commands at once all end right, with all of their output`, async () => {
    const gate = path.join(cluster.directory, "gate");
    await client.terminal.execute(["mkfifo", gate]);
    const command = (number: number): string =>
      `echo ${number} is up; read -r _ < ${gate}; seq 1 50; echo ${number} is done; exit ${number % 100}`;
    const numbers = Array.from({ length: AT_ONCE }, (_, index) => index);
    const commands = numbers.map((number) => client.terminal.execute(command(number)));
    const sessions = await Promise.all(
      numbers.map((number) => client.terminal.create({ shell: ["/bin/sh", "-c", command(number)] })),
    );
    const shown = sessions.map((session) => text(session.attach()));
    // All of them have begun, and none can have ended.
    await waitUntil(async () => {
      const running = await client.terminal.jobs({ running: true });
      return running.filter(({ outputEnd }) => outputEnd > 0).length === 2 * AT_ONCE;
    });
    await client.terminal.execute(`: > ${gate}`);

    const expected = (number: number): string =>
      `${number} is up\n${numbers
        .slice(1, 51)
        .map((line) => `${line}\n`)
        .join("")}${number} is done\n`;
    for (const [number, running] of commands.entries()) {
      const end = { outcome: "exited", exitCode: number % 100, stdout: expected(number), truncated: false };
      expect(await running).toMatchObject(end);
    }
    for (const [number, session] of sessions.entries()) {
      expect(await shown[number]).toBe(expected(number).replaceAll("\n", "\r\n"));
      expect(await session.wait()).toMatchObject({ outcome: "exited", exitCode: number % 100 });
    }
  });
});

/** Runs it in a terminal of its own; what that shows. */
async function shortCommand(line: string): Promise<string> {
  return text((await client.terminal.create({ shell: ["/bin/sh", "-c", line] })).attach());
}

async function text(chunks: AsyncIterable<{ data: Uint8Array }>): Promise<string> {
  const all: Uint8Array[] = [];
  for await (const { data } of chunks) all.push(data);
  return Buffer.concat(all).toString();
}

function busyLoop(): ChildProcess {
  return spawn("/bin/sh", ["-c", "while :; do :; done"], { stdio: "ignore" });
}
