import { PassThrough } from "node:stream";
import { setImmediate as turn } from "node:timers/promises";
import { CmdopError } from "@cmdop/sdk";
import { describe, expect, it } from "vitest";
import { Keyboard } from "./keyboard.ts";

/** Makes a keyboard for a session with scripted acceptance. */
function keyboard(isInteractive: boolean, sendInput?: (data: string) => Promise<void>) {
  const keys = new PassThrough();
  const over = new AbortController();
  const typed: string[] = [];
  const events: string[] = [];
  const session = {
    sendInput: async (data: string | Uint8Array): Promise<void> => {
      typed.push(Buffer.from(data).toString());
      await sendInput?.(typed.at(-1) ?? "");
    },
  };
  const board = new Keyboard(session, { keys, isInteractive }, over.signal, {
    detach: () => events.push("detach"),
    help: () => events.push("help"),
    failed: (thrown) => events.push(`failed: ${CmdopError.from(thrown).code}`),
  });
  return { board, keys, over, typed, events };
}

describe("the keyboard", () => {
  it("types keys in their order and keeps escape sequences to itself", async () => {
    const { keys, typed, events } = keyboard(true);
    for (const key of ["a", "\x03", "\r", "~?", "~."]) {
      keys.write(key);
      await turn();
    }
    expect(typed).toEqual(["a", "\x03", "\r"]);
    expect(events).toEqual(["help", "detach"]);
  });

  it("detaches when the terminal's window is closed", async () => {
    const { keys, events } = keyboard(true);
    keys.end();
    await turn();
    await turn();
    expect(events).toEqual(["detach"]);
  });

  it("types piped input as it is, then Ctrl-D", async () => {
    const { keys, over, typed, events } = keyboard(false);
    keys.end("~.\n");
    await turn();
    await turn();
    over.abort();
    expect(typed.join("")).toBe("~.\n\x04");
    expect(events).toEqual([]);
  });

  it("stops reading while too much is on its way, and goes on when it has arrived", async () => {
    const arrived = Promise.withResolvers<void>();
    const { keys, typed } = keyboard(true, () => arrived.promise);
    const paste = Buffer.alloc(3 * 1024 * 1024, "x");
    keys.write(paste);
    await turn();
    const before = typed.join("").length;
    expect(keys.isPaused()).toBe(true);
    arrived.resolve();
    await turn();
    expect(keys.isPaused()).toBe(false);
    expect(before).toBeLessThanOrEqual(paste.length);
  });

  it("knows whether what was typed has arrived", async () => {
    const arrived = Promise.withResolvers<void>();
    const { board, keys } = keyboard(true, () => arrived.promise);
    expect(await board.flushed(60_000)).toBe(true);
    keys.write("make\r");
    await turn();
    expect(await board.flushed(1)).toBe(false);
    arrived.resolve();
    expect(await board.flushed(60_000)).toBe(true);
  });

  it("says why keys can't be sent, and nothing of a session that has ended", async () => {
    const codes = ["JobEnded", "OutcomeUnknown"] as const;
    for (const code of codes) {
      const { keys, events } = keyboard(true, async () => {
        throw new CmdopError(code, "scripted");
      });
      keys.write("a");
      await turn();
      expect(events).toEqual(code === "JobEnded" ? [] : ["failed: OutcomeUnknown"]);
    }
  });
});
