import { withoutMarks } from "@cmdop/proto";
import { expect, test } from "vitest";
import { RUN_APPROVAL_ID } from "../testing/scripted-agent.ts";
import { scriptedClient } from "../testing/scripted-client.ts";
import { toolContext } from "../testing/tool-context.ts";
import type { ToolContext } from "../tool.ts";
import { AGENT_TOOLS } from "./agent.ts";

function call(name: string, args: object, context: ToolContext = toolContext()) {
  const tool = AGENT_TOOLS.find((known) => known.name === name);
  if (tool === undefined) throw new Error(`no tool ${name}`);
  return tool.call(args, context);
}

/** A context whose calls wait only for a moment, and what lets a run begin that waits for a person. */
function waitingContext() {
  const approval = new AbortController();
  const context = toolContext(scriptedClient(() => undefined, approval.signal));
  const briefly = { ...context, timings: { ...context.timings, waitMs: 20 } };
  return { context, briefly, approve: () => approval.abort() };
}

test("a run's answer is in both channels", async () => {
  const { structured, text } = await call("agent_run", { prompt: "look" });
  expect(structured).toMatchObject({
    status: "done",
    outcome: "completed",
    text: "answer to look",
    output: null,
    reason: "",
    steps: 2,
    toolCalls: 1,
    durationMs: 7,
    machine: "web-1",
  });
  expect(withoutMarks(text[0] ?? "")).toMatch(
    /^The run has completed\.\n\[machine web-1, run .+\]\n--- text ---\nanswer to look$/,
  );
});

test("a typed output takes the place of the text", async () => {
  const { structured, text } = await call("agent_run", { prompt: "look", schema: { type: "object" } });
  expect(structured).toMatchObject({ text: "", output: { disks: 2 } });
  expect(withoutMarks(text[0] ?? "")).toContain('--- output ---\n{"disks":2}');
});

test("a run without its answer says why, with what it said so far", async () => {
  const { structured, text } = await call("agent_run", { prompt: "fail" });
  expect(structured).toMatchObject({ status: "done", outcome: "failed", text: "so far", output: null });
  expect(structured.reason).toBe("BudgetSpent: Too many steps. Next: Ask for less.");
  expect(withoutMarks(text[0] ?? "")).toContain("has no answer (failed):\nBudgetSpent");
});

test("a long text is cut in its middle, and says so", async () => {
  const { structured } = await call("agent_run", { prompt: "long" });
  expect(structured.text).toMatch(/^beginx+\n\[… 68008 characters left out …\]\nx+end$/);
});

test("a run that takes longer goes on, and is waited for again", async () => {
  const { context, briefly } = waitingContext();
  const { structured, text } = await call("agent_run", { prompt: "hang" }, briefly);
  expect(structured).toMatchObject({ status: "running", outcome: null, toolCalls: 1 });
  expect(structured.reason).toBe('> execute {"command":"df"}');
  expect(text[0]).toContain("agent_wait looks again");
  const again = await call("agent_wait", { run_id: structured.runId }, context);
  expect(again.structured).toMatchObject({
    status: "done",
    runId: structured.runId,
    text: "answer to again",
  });
});

test("a run that waits for a person is answered as not begun, and waited for again until it has run", async () => {
  const { context, briefly, approve } = waitingContext();
  const { structured, text } = await call("agent_run", { prompt: "ask" }, briefly);
  expect(structured).toMatchObject({ status: "running", outcome: null, steps: 0 });
  expect(structured.reason).toContain(RUN_APPROVAL_ID);
  expect(text[0]).toMatch(/has not begun: it waits for a person/);
  const waiting = call("agent_wait", { run_id: structured.runId }, context);
  approve();
  expect((await waiting).structured).toMatchObject({ status: "done", text: "answer to ask" });
});

test("a run that waits can be withdrawn", async () => {
  const { briefly } = waitingContext();
  const { structured } = await call("agent_run", { prompt: "ask" }, briefly);
  const { structured: end } = await call("agent_cancel", { run_id: structured.runId }, briefly);
  expect(end).toMatchObject({ outcome: "canceled" });
});

test("a machine that does not answer in time is told so, and the run is withdrawn", async () => {
  const { briefly } = waitingContext();
  await expect(call("agent_run", { prompt: "unreachable" }, briefly)).rejects.toMatchObject({
    code: "OutcomeUnknown",
    next: expect.stringContaining("withdrawn"),
  });
});

test("arguments that don't fit name what would", async () => {
  await expect(call("agent_run", { prompt: "look", type: "poet" })).rejects.toMatchObject({
    code: "InvalidArgument",
    next: expect.stringContaining("max_steps"),
  });
});
