import { describe, expect, test } from "vitest";
import { WAYS } from "../test-support.ts";
import { BASH, outputOf, SH, session } from "./test-support.ts";

describe.each(WAYS)("a session started %s", (_way, ready) => {
  test("is a shell on a terminal, that is typed to and ends with its own code", async () => {
    const shell = session(await ready(), SH);
    await shell.sees("$ ");
    await shell.type("tty; echo $TERM $COLORTERM\n");
    await shell.sees(/\/dev\/pts\/\d+\r\nxterm-256color truecolor\r\n/);
    await shell.type("exit 7\n");
    await expect(shell.job.ended).resolves.toMatchObject({ kind: "exited", exitCode: 7 });
  });

  test("a bash too", async () => {
    const shell = session(await ready(), BASH);
    await shell.sees("$ ");
    await shell.type("echo $((6*7))\n");
    await shell.sees("\r\n42\r\n");
    await expect(shell.job.stop({ kind: "canceled", reason: "test" })).resolves.toMatchObject({
      kind: "canceled",
      signal: "SIGHUP",
    });
  });

  test("screen", async () => {
    const shell = session(await ready(), [
      "/bin/sh",
      "-c",
      "printf 'hello\\n\\033[31mred\\033[m wor'; sleep 60",
    ]);
    await shell.sees("wor");
    await expect(shell.terminal.screen()).resolves.toMatchObject({ cursorRow: 1, cursorCol: 7, offset: 22n });
    await shell.terminal.resize({ cols: 100, rows: 30 });
    await expect(shell.terminal.history(0)).resolves.toMatchObject({ text: "hello\nred wor" });
  });

  test("tail", async () => {
    const jobs = await ready();
    for (let i = 0; i < 20; i++)
      expect(await outputOf(jobs, ["/bin/sh", "-c", `seq 1000; echo last ${i}`])).toMatchObject({
        output: expect.stringMatching(/last \d+\r\n$/),
        outcome: { kind: "exited", exitCode: 0 },
      });
    expect((await outputOf(jobs, ["/no/such"])).outcome).toMatchObject({
      kind: "failed_to_start",
      reason: expect.stringContaining("was not found"),
    });
  });
});
