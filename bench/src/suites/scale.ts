import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { CMDOPClient } from "@cmdop/sdk";
import { Cluster } from "../../../e2e/support/cluster.ts";
import { residentBytes } from "../../../e2e/support/memory.ts";
import { waitUntil } from "../../../e2e/support/wait.ts";
import type { Row, Suite } from "../suite.ts";

/** Sessions, and as many execs, at once on one agent. */
const AT_ONCE = 128;

/** After this, in milliseconds, a process is as quiet as it gets. */
const SETTLE_MS = 2_000;

const MIB = 1024 * 1024;

export const scale: Suite = {
  name: "scale",
  about: `the memory of agent and relay: idle, and with ${AT_ONCE} sessions and ${AT_ONCE} execs that are watched`,
  async run({ progress }) {
    await using cluster = await Cluster.start();
    const machine = await cluster.addMachine("bench");
    await using client = await cluster.client();
    const parts = [
      { name: "agent", pid: () => machine.process.pid },
      { name: "relay", pid: () => cluster.relay.pid },
    ];
    const measure = async (): Promise<number[]> => {
      await delay(SETTLE_MS);
      return Promise.all(parts.map(async ({ pid }) => (await residentBytes(pid())) / MIB));
    };
    await client.terminal.execute("true");
    const idle = await measure();

    const rows: Row[] = parts.map(({ name }, index) => row(`${name}, idle`, "MiB", idle[index]));
    let before = idle;
    for (const [kind, start] of [
      ["sessions", startSessions],
      ["execs", startExecs],
    ] as const) {
      progress(`${AT_ONCE} ${kind}`);
      const gate = path.join(cluster.directory, `gate-${kind}`);
      await client.terminal.execute(["mkfifo", gate]);
      const ends = start(client, `echo up; read -r _ < ${gate}`);
      await waitUntil(async () => {
        const running = await client.terminal.jobs({ running: true });
        return running.filter(({ outputEnd }) => outputEnd > 0).length === AT_ONCE;
      });
      const busy = await measure();
      await client.terminal.execute(`: > ${gate}`);
      await ends;
      for (const [index, { name }] of parts.entries()) {
        const gained = (busy[index] ?? 0) - (before[index] ?? 0);
        rows.push(row(`${name}, with ${AT_ONCE} ${kind}`, "MiB", busy[index]));
        rows.push(row(`${name}, each of the ${kind}`, "KiB", (gained * 1024) / AT_ONCE));
      }
      before = await measure();
    }
    return rows;
  },
};

function row(name: string, unit: Row["unit"], ours = 0): Row {
  return { name: `memory of the ${name}`, unit, ours, theirs: null };
}

async function startExecs(client: CMDOPClient, line: string): Promise<void> {
  await Promise.all(Array.from({ length: AT_ONCE }, () => client.terminal.execute(line)));
}

async function startSessions(client: CMDOPClient, line: string): Promise<void> {
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      const session = await client.terminal.create({ shell: ["/bin/sh", "-c", line] });
      for await (const _ of session.attach());
    }),
  );
}
