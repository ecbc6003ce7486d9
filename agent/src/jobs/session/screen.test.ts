import { expect, test } from "vitest";
import { newJobs, until } from "../test-support.ts";
import type { TerminalSize } from "./request.ts";
import { SessionTerminal } from "./terminal.ts";
import { BASH, script, session } from "./test-support.ts";

/** What a terminal shows of an output. */
async function shown(output: string, size: TerminalSize = { cols: 20, rows: 5 }): Promise<SessionTerminal> {
  const shell = session(newJobs(), script('stty raw -echo; printf "$OUTPUT"'), {
    size,
    env: { OUTPUT: output },
  });
  await shell.job.ended;
  return shell.terminal;
}

async function textOf(output: string, size?: TerminalSize): Promise<string> {
  return (await (await shown(output, size)).history(0)).text;
}

test.each([
  ["colors", "\\033[1;31mred\\033[0m and \\033[38;2;1;2;3mblue\\033[m", "red and blue"],
  ["a progress bar", "10%%\\r50%%\\r100%% done\\r\\nnext", "100% done\nnext"],
  ["a line that was edited", "lss\\b\\033[K -l\\033[4D\\033[1P", "l -l"],
  ["wide characters", "日本語 ok", "日本語 ok"],
  [
    "a long line",
    "0123456789abcdefghijklmnopqrstuvwxyz\\r\\nnext",
    "0123456789abcdefghijklmnopqrstuvwxyz\nnext",
  ],
  [
    "a long line of wide characters at an odd width",
    "x日本語日本語日本語日本語",
    "x日本語日本語日本語日本語",
  ],
  ["a long line with blanks where it wraps", "0123456789012345678  x", "0123456789012345678  x"],
  ["empty lines between, and none behind", "a\\r\\n\\r\\n\\r\\nb\\r\\n\\r\\n", "a\n\n\nb"],
  ["a title and a link", "\\033]0;title\\007\\033]8;;http://x\\007link\\033]8;;\\007", "link"],
])("history has no escapes, but what is left of %s", async (_name, output, text) => {
  expect(await textOf(output)).toBe(text);
});

test("history has what scrolled by, or the last lines of it", async () => {
  const terminal = await shown("1\\r\\n2\\r\\n3\\r\\n4\\r\\n5\\r\\n6\\r\\n7\\r\\n");
  await expect(terminal.history(0)).resolves.toEqual({
    text: "1\n2\n3\n4\n5\n6\n7",
    truncated: false,
    offset: 21n,
  });
  await expect(terminal.history(2)).resolves.toEqual({ text: "6\n7", truncated: false, offset: 21n });
});

test("the screen is what a person sees: lines, cursor, title", async () => {
  const terminal = await shown("one\\r\\ntwo\\r\\n\\r\\nfour  \\033]2;my title\\007");
  await expect(terminal.screen()).resolves.toEqual({
    lines: ["one", "two", "", "four", ""],
    cursorCol: 6,
    cursorRow: 3,
    size: { cols: 20, rows: 5 },
    title: "my title",
    alternate: false,
    offset: 31n,
  });
});

test("a full-screen program has a screen of its own, and leaves the history alone", async () => {
  const enter = "before\\r\\n\\033[?1049h\\033[H\\033[2Jfull\\033[3;5Hscreen";
  const inside = await shown(enter);
  await expect(inside.screen()).resolves.toMatchObject({
    lines: ["full", "", "    screen", "", ""],
    cursorRow: 2,
    cursorCol: 10,
    alternate: true,
  });
  expect((await inside.history(0)).text).toBe("before");
  const outside = await shown(`${enter}\\033[?1049lafter`);
  await expect(outside.screen()).resolves.toMatchObject({
    lines: ["before", "after", "", "", ""],
    alternate: false,
  });
});

test("what a terminal would answer to a program's question is not typed by anybody", async () => {
  const shell = session(
    newJobs(),
    script("stty raw -echo; printf '\\033[c\\033[6nasked\\r\\n'; head -c1 | od -c"),
  );
  await shell.sees("asked");
  await shell.terminal.screen();
  await shell.type("x");
  await shell.sees("0000000   x");
});

test("a screen follows what is typed, at the size that it has then", async () => {
  const shell = session(newJobs(), BASH, { size: { cols: 40, rows: 10 } });
  await shell.sees("$ ");
  await shell.type("echo wrong\x7f\x7f\x7f\x7f\x7fright\n");
  await shell.sees("\rright\r\n");
  await until(async () => (await shell.terminal.screen()).lines[2] === "$");
  expect((await shell.terminal.screen()).lines.slice(0, 3)).toEqual(["$ echo right", "right", "$"]);
  shell.terminal.resize({ cols: 100, rows: 4 });
  await shell.type("seq -s ' ' 30\n");
  await shell.sees("29 30\r\n");
  const { lines, size } = await shell.terminal.screen();
  expect(size).toEqual({ cols: 100, rows: 4 });
  expect(lines).toContain(Array.from({ length: 30 }, (_, index) => index + 1).join(" "));
});

test("after the end both are there as they were; only the size can't be changed", async () => {
  const shell = session(newJobs(), script("echo last words; exit 2"), { size: { cols: 30, rows: 3 } });
  await shell.job.ended;
  expect((await shell.terminal.screen()).lines).toEqual(["last words", "", ""]);
  expect((await shell.terminal.history(0)).text).toBe("last words");
  expect(() => shell.terminal.resize({ cols: 80, rows: 24 })).toThrow(
    expect.objectContaining({ code: "JobEnded" }),
  );
});

test("a session of which only the journal is known is seen at the usual size", async () => {
  const shell = session(newJobs(), script("seq 3"), { size: { cols: 30, rows: 3 } });
  await shell.job.ended;
  const terminal = new SessionTerminal(shell.job.journal, "key");
  expect((await terminal.screen()).size).toEqual({ cols: 80, rows: 24 });
  expect((await terminal.history(0)).text).toBe("1\n2\n3");
});
