import { describe, expect, it } from "vitest";
import { Confirmations } from "./confirmations.ts";
import { RunEvents } from "./run-events.ts";
import { CallIds } from "./tools/tools.ts";

/** A use of a tool, and what is written down of it. */
function use(callId: string, signal: AbortSignal = new AbortController().signal) {
  const lines: string[] = [];
  const events = new RunEvents(
    { append: (_channel, bytes) => void lines.push(Buffer.from(bytes).toString()) },
    undefined,
  );
  return { lines, pending: { callId, tool: "execute", touches: "commands", events, signal } as const };
}

describe("a use of a tool that waits for the run's caller", () => {
  it("silence means no", async () => {
    const confirmations = new Confirmations("all", 1);
    const { lines, pending } = use("a");
    await expect(confirmations.ask(pending)).rejects.toMatchObject({ code: "ApprovalRefused" });
    expect(lines.join("")).toContain('"type":"asked"');
    expect(() => confirmations.answer({ callId: "a", approve: true, reason: "" })).toThrow("waits");
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
    await new Confirmations("writes").ask(pending);
    expect(lines).toEqual([]);
  });
});

it("no two uses have the same id, whatever the provider says", () => {
  const ids = new CallIds();
  const given = ["a", "a", "a#2", "a", "a#2", "x".repeat(500), "x".repeat(400)];
  const made = given.map((id) => ids.unique(id));
  expect(made[0]).toBe("a");
  expect(new Set(made).size).toBe(given.length);
});
