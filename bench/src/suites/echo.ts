import { once } from "node:events";
import { Cluster } from "../../../e2e/support/cluster.ts";
import { NO_SSHD, Sshd } from "../peers/sshd.ts";
import { latencies, percentile } from "../statistics.ts";
import type { BenchContext, Row, Suite } from "../suite.ts";

/** A key typed through the relay is seen as soon as one typed through ssh. */
const ECHO_AIM = { atMost: 1 };

/** Keys that are typed, each when the one before has been seen: fewer than a terminal keeps for a program that reads none (4,096). */
const KEYS = { count: 1_000, warmUp: 100 };

/** A program that reads nothing: the terminal itself echoes. ssh, whose own input is no terminal, hands on none of the usual modes. */
const LINE = "stty sane -icanon; echo READY; exec sleep 600";

/** Where keys are typed and seen. */
interface Keyboard extends AsyncDisposable {
  type(key: string): Promise<unknown>;
  /** The next bytes that are shown; undefined at the end. */
  shown(): Promise<Uint8Array | undefined>;
}

export const echo: Suite = {
  name: "echo",
  about: "a key typed into a terminal until it is seen there; beside ssh -tt",
  async run(context) {
    await using cluster = await Cluster.start();
    await cluster.addMachine("bench");
    await using client = await cluster.client();
    await using sshd = await Sshd.start();
    const theirs = sshd === undefined ? undefined : await measure("ssh -tt", sshKeyboard(sshd), context);

    const session = await client.terminal.create({ shell: ["/bin/sh", "-c", LINE] });
    const chunks = session.attach();
    const keyboard: Keyboard = {
      type: (key) => session.sendInput(key),
      shown: async () => (await chunks.next()).value?.data,
      [Symbol.asyncDispose]: async () => {
        await session.close();
        await chunks.return();
      },
    };
    const ours = await measure("a session through the relay", keyboard, context);
    const row = (share: number): Row => ({
      name: `keystroke echo, relay, p${share * 100}`,
      unit: "ms",
      ours: percentile(ours, share),
      theirs: theirs === undefined ? NO_SSHD : percentile(theirs, share),
      aim: ECHO_AIM,
    });
    return [row(0.5), row(0.99)];
  },
};

async function measure(name: string, keyboard: Keyboard, { progress }: BenchContext): Promise<number[]> {
  await using used = keyboard;
  progress(`keystroke echo, ${name}`);
  const until = async (wanted: string): Promise<void> => {
    for (let seen = ""; !seen.includes(wanted); ) {
      const bytes = await used.shown();
      if (bytes === undefined) throw new Error(`${name} ended before it showed ${wanted}: ${seen}`);
      seen += Buffer.from(bytes).toString("latin1");
    }
  };
  await until("READY\r\n");
  return await latencies(async () => {
    const typing = used.type("k");
    await until("k");
    await typing;
  }, KEYS);
}

/** A terminal of ssh's. */
function sshKeyboard(sshd: Sshd): Keyboard {
  const child = sshd.terminal(LINE);
  const chunks: AsyncIterator<Uint8Array> = child.stdout[Symbol.asyncIterator]();
  return {
    type: (key) => new Promise((resolve) => child.stdin.write(key, resolve)),
    shown: async () => {
      const next = await chunks.next();
      return next.done ? undefined : next.value;
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, "exit");
      child.kill("SIGTERM");
      await ended;
    },
  };
}
