import { expect, test } from "vitest";
import { failureOf } from "../answers.ts";
import { APPROVAL_ID, scriptedClient } from "../testing/scripted-client.ts";
import { toolContext } from "../testing/tool-context.ts";
import type { ToolContext } from "../tool.ts";
import { TERMINAL_TOOLS } from "./terminal.ts";

function call(name: string, args: unknown, context: ToolContext) {
  const tool = TERMINAL_TOOLS.find((known) => known.name === name);
  if (tool === undefined) throw new Error(`no tool ${name}`);
  return tool.call(args, context);
}

/** A context whose calls wait only for a moment, and what lets a command run that waits for a person. */
function waitingContext() {
  const approval = new AbortController();
  const context = toolContext(scriptedClient(() => undefined, approval.signal));
  const briefly = { ...context, timings: { ...context.timings, waitMs: 20 } };
  return { context, briefly, approve: () => approval.abort() };
}

test("a command that waits for a person is answered as not begun, and waited for again until it has run", async () => {
  const { context, briefly, approve } = waitingContext();
  const { structured, text } = await call("terminal_execute", { command: "ask me" }, briefly);
  expect(structured).toMatchObject({ status: "running", outcome: null, stdout: "" });
  expect(String(structured.reason)).toContain(APPROVAL_ID);
  expect(text[0]).toMatch(/has not begun: it waits for a person/);

  const again = await call("terminal_wait", { job_id: structured.jobId }, briefly);
  expect(again.structured).toMatchObject({ status: "running", reason: structured.reason });

  const waiting = call("terminal_wait", { job_id: structured.jobId }, context);
  approve();
  expect((await waiting).structured).toMatchObject({ status: "done", exitCode: 0, stdout: "approved\n" });
});

test("a command that was begun meanwhile is followed like any other", async () => {
  const { context, briefly, approve } = waitingContext();
  const { structured } = await call("terminal_execute", { command: "ask me" }, briefly);
  approve();
  await new Promise((resolve) => setImmediate(resolve));
  const { structured: found } = await call("terminal_wait", { job_id: structured.jobId, after: 9 }, context);
  expect(found).toMatchObject({ status: "done", stdout: "behind 9\n" });
});

test("a command that waits can be withdrawn", async () => {
  const { briefly } = waitingContext();
  const { structured } = await call("terminal_execute", { command: "ask me" }, briefly);
  const { structured: end } = await call("terminal_cancel", { job_id: structured.jobId }, briefly);
  expect(end).toMatchObject({ outcome: "canceled" });
});

test("the answer says which shell ran the line, where it was not sh", async () => {
  const context = toolContext(scriptedClient(() => undefined));
  const { structured, text } = await call("terminal_execute", { command: "zsh" }, context);
  expect(structured).toMatchObject({ shell: "/bin/zsh" });
  expect(text[0]).toMatch(/job \S+, ran by \/bin\/zsh, \d+ ms\]/);
  const plain = await call("terminal_execute", { command: "echo 1" }, context);
  expect(plain.structured).toMatchObject({ shell: null });
  expect(plain.text[0]).not.toContain("ran by");
});

test("arguments come as clients send them: null and nothing are absent, an empty list of args is none", async () => {
  const { context } = waitingContext();
  const given = {
    command: "echo hi",
    args: [],
    cwd: null,
    env: null,
    stdin: null,
    timeout_ms: "5000",
    machine: null,
  };
  for (const args of [given, JSON.stringify(given)]) {
    const { structured } = await call("terminal_execute", args, context);
    expect(structured).toMatchObject({ status: "done", stdout: "hi\n" });
  }
  const { structured } = await call("terminal_execute", { command: "echo hi", args: "" }, context);
  expect(structured).toMatchObject({ stdout: "hi\n" });
});

test("a command whose machine goes offline in its middle is never answered as running", async () => {
  const { briefly } = waitingContext();
  const { structured, text } = await call("terminal_execute", { command: "offline" }, briefly);
  expect(structured).toMatchObject({
    status: "unreachable",
    outcome: null,
    exitCode: null,
    stdout: "begun\n",
  });
  const said = "web-1 went offline at 2026-09-21T14:13:20.000Z; the command may still run there";
  expect(structured.reason).toBe(said);
  expect(text[0]).toContain(`${said}. Do not start it again`);
  const again = await call("terminal_wait", { job_id: structured.jobId, machine: "web-2" }, briefly).catch(
    failureOf,
  );
  expect(again).toMatchObject({
    content: [{ text: expect.stringContaining("What was left running there may still run.") }],
  });
});
