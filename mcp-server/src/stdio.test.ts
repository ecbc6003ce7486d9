import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { withoutMarks } from "@cmdop/proto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { MAX_CALLS_IN_FLIGHT } from "./limits.ts";
import { CLIENT_KINDS, type Connection, connect, serverCommand } from "./testing/connect.ts";
import { TOOLS } from "./tools.ts";

const unmarked = (text = ""): string => withoutMarks(text);

describe.each(CLIENT_KINDS)("a %s client", (kind) => {
  let mcp: Connection;
  beforeAll(async () => {
    mcp = await connect(kind);
  });
  afterAll(() => mcp.close());

  test("sees every tool, and is told what this is", async () => {
    expect(await mcp.listToolNames()).toEqual(TOOLS.map(({ name }) => name));
    expect(mcp.instructions).toContain("machines_list");
    expect(mcp.instructions).toMatch(/between <data-…> and <\/data-…> .* is data/);
  });

  test("gets a command's end whole in both channels", async () => {
    const { content, structuredContent, isError } = await mcp.call("terminal_execute", {
      command: "echo hello",
    });
    expect(isError ?? false).toBe(false);
    expect(structuredContent).toMatchObject({
      status: "done",
      exitCode: 0,
      outcome: "exited",
      signal: null,
      stdout: "hello\n",
      stderr: "",
      truncated: false,
      durationMs: 1,
      machine: "web-1",
    });
    expect(content).toEqual([{ type: "text", text: expect.any(String) }]);
    expect(content[0]?.text).toMatch(
      /--- stdout: 6 bytes ---\n<data-([\w-]{8})>\nhello\n\n<\/data-\1>\n--- stderr/,
    );
    expect(unmarked(content[0]?.text)).toBe(
      `The command exited with 0.\n[machine web-1, job ${structuredContent?.jobId}, 1 ms]\n--- stdout: 6 bytes ---\nhello\n\n--- stderr: empty ---`,
    );
  });

  test("gets a command that fails as a result", async () => {
    const { content, structuredContent, isError } = await mcp.call("terminal_execute", { command: "fail" });
    expect(isError ?? false).toBe(false);
    expect(structuredContent).toMatchObject({
      status: "done",
      exitCode: 3,
      stderr: "it broke\n",
      stdout: "",
    });
    expect(unmarked(content[0]?.text)).toMatch(
      /exited with 3[\s\S]*stdout: empty[\s\S]*stderr: 9 bytes ---\nit broke/,
    );
  });

  test("gets a command that never ran as what it is", async () => {
    const { structuredContent, content } = await mcp.call("terminal_execute", {
      command: "missing",
      args: ["x"],
    });
    expect(structuredContent).toMatchObject({
      outcome: "failed_to_start",
      exitCode: null,
      reason: "there is no such program",
    });
    expect(unmarked(content[0]?.text)).toContain("failed to start.\nthere is no such program");
  });

  test("gets a long output's two ends, with what is missing counted", async () => {
    const { structuredContent, content } = await mcp.call("terminal_execute", { command: "flood" });
    expect(structuredContent).toMatchObject({ truncated: true, exitCode: 0 });
    const stdout = String(structuredContent?.stdout);
    expect(stdout).toMatch(
      / 0\n[\s\S]* bytes in \d+ lines left out: terminal_wait with job_id \S+ and after \d+ shows it[\s\S]* 999\n$/,
    );
    expect(stdout.length).toBeLessThan(20_000);
    expect(content[0]?.text).toContain("stdout: 1000000 bytes");
    expect(content[0]?.text).toContain(stdout);
  });

  test("may use dotted names", async () => {
    const { structuredContent } = await mcp.call("terminal.execute", { command: "cat", stdin: "in" });
    expect(structuredContent).toMatchObject({ stdout: "in" });
  });

  test("is told which tools an unknown name is close to", async () => {
    await expect(mcp.call("terminal_exec", {})).rejects.toThrow(/no tool "terminal_exec".*terminal_execute/);
  });

  test("is told what is wrong with arguments", async () => {
    const { isError, content } = await mcp.call("files_read", { path: 7, lines: 3 });
    expect(isError).toBe(true);
    expect(content[0]?.text).toMatch(
      /InvalidArgument: files_read[\s\S]*"lines"[\s\S]*expected string[\s\S]*at path[\s\S]*Next: .*start_line/,
    );
  });

  test("is told what to do about a machine that it can't have", async () => {
    const offline = await mcp.call("files_info", { path: "/f", machine: "web-2" });
    expect(offline).toMatchObject({ isError: true });
    expect(unmarked(offline.content[0]?.text)).toMatch(/^MachineOffline:\nweb-2 .*\n\nNext: machines_list/);
    const unknown = await mcp.call("terminal_execute", { command: "echo", machine: "nowhere" });
    expect(unmarked(unknown.content[0]?.text)).toMatch(
      /^MachineUnknown:\n.*nowhere.*\n\nNext: machines_list/,
    );
    expect(unknown).toMatchObject({ isError: true });
  });

  test("lists machines", async () => {
    const { structuredContent, content } = await mcp.call("machines_list");
    expect(structuredContent).toMatchObject({
      machines: [
        { name: "web-1", online: true, labels: { team: "a" } },
        { name: "web-2", online: false, lastSeenMs: null },
      ],
      omitted: 0,
    });
    expect(unmarked(content[0]?.text)).toMatch(
      /^web-1 +online +id id-1 +team=a\nweb-2 +offline, never seen +id id-2$/,
    );
  });

  test("works with files", async () => {
    const bytes = Buffer.from([0, 1, 254, 255]);
    await mcp.call("files_write", { path: "/d/a", content: "one\ntwo\nthree\n", parents: true });
    await mcp.call("files_write", { path: "/d/b", content: bytes.toString("base64"), encoding: "base64" });
    expect(
      (await mcp.call("files_read", { path: "/d/a", start_line: 2, line_count: 1 })).structuredContent,
    ).toEqual({
      encoding: "utf8",
      content: "two\n",
      offset: 4,
      bytes: 4,
      nextOffset: 8,
    });
    expect((await mcp.call("files_read", { path: "/d/b" })).structuredContent).toMatchObject({
      encoding: "base64",
      content: bytes.toString("base64"),
      nextOffset: null,
    });
    const part = await mcp.call("files_read", { path: "/d/a", offset: 4, length: 3 });
    expect(part.content.map(({ text }) => unmarked(text))).toEqual([
      "two",
      "[bytes 4 to 7; more follows: offset 7]",
    ]);
    expect((await mcp.call("files_copy", { source: "/d/a", destination: "/d/c" })).isError ?? false).toBe(
      false,
    );
    expect((await mcp.call("files_copy", { source: "/d/a", destination: "/d/c" })).content[0]?.text).toMatch(
      /^AlreadyExists:\n<data-.{8}>\n.*\n<\/data-.{8}>\n\nNext: .*overwrite/,
    );
    await mcp.call("files_move", { source: "/d/c", destination: "/d/e" });
    await mcp.call("files_delete", { path: "/d/b" });
    const first = await mcp.call("files_list", { path: "/d", page_size: 1 });
    expect(first.structuredContent).toEqual({
      entries: [{ name: "a", type: "file", size: 14, mtimeMs: 1_790_000_000_000 }],
      nextPage: "1",
    });
    expect((await mcp.call("files_list", { path: "/d", page: "1" })).structuredContent).toMatchObject({
      entries: [{ name: "e" }],
      nextPage: null,
    });
    expect(
      (await mcp.call("files_mkdir", { path: "/d/new", parents: true })).structuredContent,
    ).toMatchObject({
      path: "/d/new",
      type: "directory",
    });
    const info = await mcp.call("files_info", { path: "/d/e" });
    expect(info.structuredContent).toMatchObject({ path: "/d/e", type: "file", size: 14, mode: "0644" });
    expect(unmarked(info.content[0]?.text)).toMatch(/^\/d\/e: file 14 bytes, mode 0644/);
    expect(unmarked((await mcp.call("files_read", { path: "/d/b" })).content[0]?.text)).toMatch(
      /^NotFound:\n.*\n\nNext: .*files_list/,
    );
  });

  test("cancels a job by cancelling its call", async () => {
    await using own = await connect(kind);
    const giveUp = new AbortController();
    const call = own.call("terminal_execute", { command: "hang" }, { signal: giveUp.signal });
    await own.untilTold("started");
    giveUp.abort();
    await expect(call).rejects.toThrow();
    await own.untilTold("canceled");
    await own.close();
    await own.untilTold("served");
    expect(own.told.map(({ what }) => what)).toEqual(["started", "canceled", "served"]);
  });

  test("leaves its jobs running when it goes", async () => {
    await using own = await connect(kind);
    const call = own.call("terminal_execute", { command: "talk" });
    await own.untilTold("started");
    await Promise.all([expect(call).rejects.toThrow(), own.close()]);
    await Promise.all([own.untilTold("left"), own.untilTold("served")]);
    expect(own.told.map(({ what }) => what).sort()).toEqual(["left", "served", "started"]);
  });

  test("hears of progress where it asks", async () => {
    await using own = await connect(kind, { progressIntervalMs: 10 });
    const giveUp = new AbortController();
    const heard: { progress: number; message?: string | undefined }[] = [];
    const enough = Promise.withResolvers<void>();
    const onprogress = (progress: (typeof heard)[number]): void => {
      heard.push(progress);
      if (heard.length > 2 && progress.message?.includes(": ")) enough.resolve();
    };
    const call = own.call("terminal_execute", { command: "talk" }, { signal: giveUp.signal, onprogress });
    await enough.promise;
    giveUp.abort();
    await expect(call).rejects.toThrow();
    expect(heard.at(-1)?.message).toMatch(/^\d+ s: still here$/);
    const elapsed = heard.map(({ progress }) => progress);
    expect(elapsed).toEqual(elapsed.toSorted((a, b) => a - b));
  });
});

test("a command that outlasts the wait is answered with what there is, and left running", async () => {
  await using mcp = await connect("2.x modern", { waitMs: 50 });
  const { structuredContent, content, isError } = await mcp.call("terminal_execute", { command: "talk" });
  expect(isError ?? false).toBe(false);
  expect(structuredContent).toMatchObject({
    status: "running",
    exitCode: null,
    outcome: null,
    machine: "web-1",
  });
  expect(structuredContent?.stdout).toContain("still here\n");
  expect(content[0]?.text).toMatch(/^The command is still running/);
  await mcp.untilTold("left");
  const started = mcp.told.find(({ what }) => what === "started");
  expect(structuredContent?.jobId).toBe(started?.job);
});

test("a command that says nothing is answered no later", async () => {
  await using mcp = await connect("2.x modern", { waitMs: 50 });
  const { structuredContent } = await mcp.call("terminal_execute", { command: "hang" });
  expect(structuredContent).toMatchObject({ status: "running", stdout: "", stderr: "" });
});

test("a command that the machine never acknowledged is withdrawn, and nobody claims that it runs", async () => {
  await using mcp = await connect("2.x modern", { waitMs: 50 });
  const { isError, content } = await mcp.call("terminal_execute", { command: "unreachable" });
  expect(isError).toBe(true);
  expect(content[0]?.text).toMatch(/^OutcomeUnknown: .*\n\nNext: The command was withdrawn/);
  await mcp.untilTold("canceled");
});

test("a link that breaks is an error with the next step", async () => {
  await using mcp = await connect("2.x modern");
  const { isError, content } = await mcp.call("terminal_execute", { command: "break" });
  expect(isError).toBe(true);
  expect(unmarked(content[0]?.text)).toMatch(/^LinkLost:\nThe link broke\.\nNext: ./);
});

test("calls beyond the limit are refused, and those in flight stay unharmed", async () => {
  await using mcp = await connect("2.x modern");
  const giveUp = new AbortController();
  const waiting = Array.from({ length: MAX_CALLS_IN_FLIGHT }, () =>
    mcp.call("terminal_execute", { command: "hang" }, { signal: giveUp.signal }).catch((thrown) => thrown),
  );
  const refused = await mcp.call("terminal_execute", { command: "echo" });
  expect(refused.content[0]?.text).toMatch(/^LimitExceeded: .*\n\nNext: Wait/);
  expect(mcp.told.filter(({ what }) => what !== "started")).toEqual([]);
  giveUp.abort();
  await Promise.all(waiting);
  await mcp.untilTold("canceled");
});

test("SIGTERM ends the server in order, and its jobs go on", async () => {
  await using mcp = await connect("1.x");
  const call = mcp.call("terminal_execute", { command: "talk" });
  await mcp.untilTold("started");
  process.kill(mcp.pid, "SIGTERM");
  await expect(call).rejects.toThrow();
  await Promise.all([mcp.untilTold("left"), mcp.untilTold("served")]);
  expect(mcp.told.map(({ what }) => what).sort()).toEqual(["left", "served", "started"]);
});

test("a cancel that is under way when the client goes is carried out", async () => {
  await using mcp = await connect("2.x modern");
  const giveUp = new AbortController();
  const call = mcp.call("terminal_execute", { command: "cling" }, { signal: giveUp.signal });
  await mcp.untilTold("started");
  giveUp.abort();
  await Promise.all([expect(call).rejects.toThrow(), mcp.close()]);
  await mcp.untilTold("served");
  expect(mcp.told.map(({ what }) => what)).toEqual(["started", "canceled", "served"]);
});

test("names can be listed with dots", async () => {
  await using mcp = await connect("2.x legacy", { toolNames: "dotted" });
  expect(await mcp.listToolNames()).toContain("terminal.execute");
  expect((await mcp.call("terminal.execute", { command: "echo a" })).structuredContent).toMatchObject({
    stdout: "a\n",
  });
});

test("garbage on stdin is reported and harms nothing; the end of stdin ends the process with 0", async () => {
  const { command, args } = serverCommand();
  const server = spawn(command, args, { stdio: "pipe" });
  const exit = once(server, "exit");
  const complaint = once(createInterface(server.stderr), "line");
  const answer = once(createInterface(server.stdout), "line");
  server.stdin.write('this is not JSON\n{"this is":"no message"}\n');
  server.stdin.write(
    '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"0"}}}\n',
  );
  expect(String((await complaint)[0])).toMatch(/^cmdop mcp: /);
  expect(JSON.parse(String((await answer)[0]))).toMatchObject({
    id: 1,
    result: { serverInfo: { name: "cmdop", version: "0.0.0" } },
  });
  server.stdin.end();
  expect(await exit).toEqual([0, null]);
});

test("a command that was left running is waited for again, from where the last answer ended, and can be ended", async () => {
  await using mcp = await connect("2.x modern", { waitMs: 50 });
  const first = await mcp.call("terminal_execute", { command: "talk" });
  const { jobId: job_id, after } = z
    .object({ jobId: z.string(), after: z.int() })
    .parse(first.structuredContent);
  expect(first.content[0]?.text).toContain(`terminal_wait with after ${after} looks again`);
  const again = await mcp.call("terminal_wait", { job_id, after });
  expect(again.structuredContent).toMatchObject({ status: "done", exitCode: 0, jobId: job_id });
  expect(again.structuredContent?.stdout).toContain(`behind ${after}`);
  const canceled = await mcp.call("terminal_cancel", { job_id });
  expect(canceled.structuredContent).toMatchObject({ outcome: "canceled", exitCode: null, jobId: job_id });
});
