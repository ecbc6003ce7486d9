import { useHash } from "@cmdop/proto";
import { describe, expect, it } from "vitest";
import { Confirmations } from "./confirmations.ts";
import { RunEvents } from "./run-events.ts";
import { CallIds } from "./tools/tools.ts";

/** Makes a tool use, and the list of events that it writes. */
function use(callId: string, signal: AbortSignal = new AbortController().signal) {
  const lines: string[] = [];
  const events = new RunEvents(
    { append: (_channel, bytes) => void lines.push(Buffer.from(bytes).toString()) },
    undefined,
  );
  const input: Record<string, unknown> = { command: "ls" };
  const hash = useHash("execute", input);
  return {
    lines,
    input,
    hash,
    pending: { callId, tool: "execute", input, touches: "commands", events, signal } as const,
  };
}

describe("a use of a tool that waits for the run's caller", () => {
  it("silence means no", async () => {
    const confirmations = new Confirmations("all", 1);
    const { lines, pending } = use("a");
    await expect(confirmations.ask(pending)).rejects.toMatchObject({ code: "ApprovalRefused" });
    expect(lines.join("")).toContain('"type":"asked"');
    expect(() => confirmations.answer({ callId: "a", hash: "", approve: true, reason: "" })).toThrow("waits");
  });

  it("ends with its run", async () => {
    const over = new AbortController();
    const { pending } = use("a", over.signal);
    const asked = new Confirmations("commands").ask(pending);
    over.abort(new Error("the run is over"));
    await expect(asked).rejects.toThrow("the run is over");
  });

  it("only where its caller wanted to be asked", async () => {
    const { lines, pending } = use("a");
    await new Confirmations("none").ask(pending);
    expect(lines).toEqual([]);
  });

  it("who is asked for writes is asked for commands: they write as well", async () => {
    const { pending } = use("a");
    const confirmations = new Confirmations("writes", 1);
    await expect(confirmations.ask(pending)).rejects.toMatchObject({ code: "ApprovalRefused" });
    await expect(confirmations.ask({ ...pending, touches: "writes" })).rejects.toMatchObject({
      code: "ApprovalRefused",
    });
    await confirmations.ask({ ...pending, touches: "reads" });
    await new Confirmations("commands", 1).ask({ ...pending, touches: "writes" });
  });

  it("promise 5: a yes is for the use that was seen, and for what it was used with then", async () => {
    const confirmations = new Confirmations("all");
    const { pending, hash, input } = use("a");
    const asked = confirmations.ask(pending);
    const yes = { callId: "a", approve: true, reason: "" };
    for (const other of ["", useHash("execute", { command: "rm" }), useHash("write_file", input)])
      expect(() => confirmations.answer({ ...yes, hash: other })).toThrow(
        expect.objectContaining({ code: "ApprovalRefused" }),
      );
    confirmations.answer({ ...yes, hash });
    await asked;

    const changing = confirmations.ask(pending);
    input.command = "rm -rf /";
    confirmations.answer({ ...yes, hash });
    await expect(changing).rejects.toMatchObject({
      code: "ApprovalRefused",
      message: expect.stringContaining("something else than its caller has seen"),
    });
  });
});

it("no two uses have the same id, whatever the provider says", () => {
  const ids = new CallIds();
  const given = ["a", "a", "a#2", "a", "a#2", "x".repeat(500), "x".repeat(400)];
  const made = given.map((id) => ids.unique(id));
  expect(made[0]).toBe("a");
  expect(new Set(made).size).toBe(given.length);
});
