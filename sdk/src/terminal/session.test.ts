import { randomUUID } from "node:crypto";
import { CmdopError } from "@cmdop/proto";
import { describe, expect, it } from "vitest";
import {
  cut,
  dropped,
  ended,
  output,
  type Script,
  scriptedMachine,
  started,
} from "../testing/scripted-machine.ts";
import { Terminal } from "./terminal.ts";

/** Makes a session that takes input as an agent does, over streams that break as `breaks` says. */
async function typewriter({
  breaks = () => false,
  script = {},
}: {
  breaks?: (message: number) => boolean;
  script?: Script;
} = {}) {
  const accepted = new Map<string, string>();
  let messages = 0;
  let streams = 0;
  const machine = await scriptedMachine({
    input: async function* (requests) {
      streams += 1;
      let writer = "";
      for await (const { writerId, offset, data } of requests) {
        messages += 1;
        writer ||= writerId;
        const typed = accepted.get(writer) ?? "";
        if (Number(offset) > typed.length) throw new CmdopError("InputGap", "A gap.");
        accepted.set(writer, typed.slice(0, Number(offset)) + Buffer.from(data).toString());
        if (breaks(messages)) throw cut();
        yield { accepted: BigInt(accepted.get(writer)?.length ?? 0), outputEnd: BigInt(messages * 100) };
      }
    },
    ...script,
  });
  const terminal = new Terminal(machine.caller);
  const sessionId = randomUUID();
  return Object.assign(machine, {
    terminal,
    sessionId,
    session: terminal.session(sessionId),
    typed: () => [...accepted.values()],
    streams: () => streams,
  });
}

describe("keystrokes", () => {
  it("travel on one stream, in order, with one writer, also through another handle or by id", async () => {
    await using machine = await typewriter();
    const { terminal, session, sessionId } = machine;
    await session.sendInput("a");
    await Promise.all([
      session.sendInput("b"),
      terminal.sendInput(sessionId, "c"),
      terminal.session(sessionId).sendInput("d"),
    ]);
    expect(machine.typed()).toEqual(["abcd"]);
    expect(machine.streams()).toBe(1);
  });

  it("promise 2: arrive once over streams that break before their answers", async () => {
    await using machine = await typewriter({ breaks: (message) => message % 3 === 0 });
    const text = Array.from({ length: 60 }, (_, index) => String.fromCharCode(33 + index));
    for (const character of text) await machine.session.sendInput(character);
    await Promise.all(text.map((character) => machine.session.sendInput(character)));
    expect(machine.typed()).toEqual([text.join("").repeat(2)]);
    expect(machine.streams()).toBeGreaterThan(20);
  });

  it("a session that has ended refuses them", async () => {
    await using machine = await typewriter({
      script: {
        input: () => {
          throw new CmdopError("JobEnded", "It is over.");
        },
      },
    });
    await expect(machine.session.sendInput("x")).rejects.toMatchObject({ code: "JobEnded" });
    await expect(machine.session.sendInput("x")).rejects.toMatchObject({ code: "JobEnded" });
  });

  it("promise 1: what was on its way when the client was closed may have arrived, and the error says so", async () => {
    const arrived = Promise.withResolvers<void>();
    await using machine = await typewriter({
      script: {
        input: async function* (requests: AsyncIterable<{ readonly offset: bigint }>) {
          for await (const { offset } of requests) {
            arrived.resolve();
            await new Promise((resolve) => setTimeout(resolve, 60_000).unref());
            yield { accepted: offset };
          }
        },
      },
    });
    const typing = machine.session.sendInput("x");
    await arrived.promise;
    machine.transport.close();
    await expect(typing).rejects.toMatchObject({ code: "OutcomeUnknown" });
    await expect(machine.session.sendInput("y")).rejects.toMatchObject({ code: "InvalidArgument" });
  });
});

describe("waitFor", () => {
  /** Makes a session with this journal, readable from any offset. */
  const journal = (text: string): Script => ({
    attach: async function* ({ after }) {
      yield started("s", BigInt(text.length));
      const rest = text.slice(Number(after));
      if (rest !== "") yield output(Number(after), rest);
      yield ended(text.length);
    },
  });

  it("begins at the beginning, and goes on behind the last match", async () => {
    await using machine = await typewriter({ script: journal("$ one $ two $ ") });
    expect(await machine.session.waitFor(/\$ (\w+)/)).toEqual({ text: "$ one", groups: ["one"], before: "" });
    expect(await machine.session.waitFor(/\$ (\w+)/)).toMatchObject({ groups: ["two"], before: " " });
    await expect(machine.session.waitFor(/\$ (\w+)/)).rejects.toMatchObject({ code: "JobEnded" });
  });

  it("begins behind what was typed last", async () => {
    await using machine = await typewriter({ script: journal(`${"$ old ".padEnd(100)}$ new`) });
    await machine.session.sendInput("x");
    expect(await machine.session.waitFor(/\$ \w+/)).toMatchObject({ text: "$ new", before: "" });
  });

  it("does not find a text on two sides of a gap", async () => {
    await using machine = await typewriter({
      script: {
        attach: async function* () {
          yield started("s");
          yield output(0, "rea");
          yield dropped(3, 10);
          yield output(13, "dy, ready");
          yield ended(22);
        },
      },
    });
    expect(await machine.session.waitFor("ready")).toMatchObject({ before: "dy, " });
  });

  it("promise 10: shows the last lines when the time is over, and when the session ends first", async () => {
    const attach: Script["attach"] = async function* () {
      yield output(0, "Password: ");
      yield started("s");
      await new Promise((resolve) => setTimeout(resolve, 60_000).unref());
    };
    await using silent = await typewriter({ script: { attach } });
    const late = silent.session.waitFor(/\$ $/, { timeoutMs: 500 });
    await expect(late).rejects.toMatchObject({
      code: "DeadlineExceeded",
      message: expect.stringMatching(/\/\\\$ \$\/ did not appear within 500 ms .*\nPassword:$/s),
    });
    await using over = await typewriter({ script: journal("bye\r\n") });
    await expect(over.session.waitFor("$")).rejects.toThrow(
      /ended before "\$" appeared\. Its last lines:\nbye$/,
    );
  });
});

describe("attach", () => {
  it("yields bytes with their offsets; a gap is seen by them; it ends with the session", async () => {
    await using machine = await typewriter({
      script: {
        attach: async function* () {
          yield started("s", 3n);
          yield output(0, "one");
          yield dropped(3, 7);
          yield output(10, "two");
          yield ended(13);
        },
      },
    });
    const chunks: unknown[] = [];
    const told: unknown[] = [];
    for await (const { offset, data } of machine.session.attach({ onStarted: (event) => told.push(event) })) {
      chunks.push([offset, Buffer.from(data).toString()]);
    }
    expect(chunks).toEqual([
      [0, "one"],
      [10, "two"],
    ]);
    expect(told).toEqual([{ pid: 7, attached: false, outputEnd: 3, inMemory: false, shell: null }]);
  });

  it("promise 1: a session that can't be seen any more has not ended: it throws", async () => {
    await using machine = await typewriter({
      script: {
        attach: async function* ({ after }) {
          if (after > 0n) throw new CmdopError("KeyRevoked", "No.");
          yield started("s");
          yield output(0, "x");
          throw cut();
        },
      },
    });
    const read = async (): Promise<void> => {
      for await (const { offset } of machine.session.attach()) expect(offset).toBe(0);
    };
    await expect(read()).rejects.toMatchObject({ code: "KeyRevoked" });
    expect(await machine.session.wait()).toMatchObject({ outcome: "unknown" });
  });
});
