import { execFileSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { commandLine } from "../program.ts";
import { complete } from "./complete.ts";
import { SCRIPTS, SHELLS } from "./scripts.ts";

/** The words that may come next, with `<MACHINE of web-1>` for what relay and machine would be asked. */
async function next(...words: string[]): Promise<string[]> {
  const { candidates, withFiles } = await complete(commandLine(), words, async (name, word, operands) => [
    { value: `${word}<${[name, ...operands].join(" of ")}>` },
    { value: "another-word" },
    { value: `${word}\n` },
  ]);
  return [...candidates.map(({ value }) => value), ...(withFiles ? [":files"] : [])];
}

describe("completion", () => {
  it.each([
    [["key"], ["keys"]],
    [["keys", "ro"], ["rotate"]],
    [["keys", "list", "--a"], ["--all"]],
    [["run", "--type", "pl"], ["planner"]],
    [["run", "--type=pl"], ["--type=planner"]],
    [["exec", "w"], ["w<MACHINE>"]],
    [["exec", "--timeout", "5s", "w"], ["w<MACHINE>"]],
    [["exec", "--json", "w"], ["w<MACHINE>"]],
    [
      ["logs", "w"],
      ["w<MACHINE>", "w<JOB>"],
    ],
    [["logs", "web-1", "3"], ["3<JOB of web-1>"]],
    [["attach", "web-1", "3"], ["3<SESSION of web-1>"]],
    [["audit", "--machine", "w"], ["w<MACHINE>"]],
    [["audit", "--key=d"], ["--key=d<KEY>"]],
    [["keys", "revoke", "d"], ["d<KEY>"]],
    [["keys", "create", "x", "--scope", "t"], ["t<SCOPE of x>"]],
    [["cp", "-r", "a", "b", "web-1:/e"], ["web-1:/e<SOURCE of a of b>"]],
    [
      ["cp", "x"],
      ["x<SOURCE>", ":files"],
    ],
    [
      ["agent", "--join", "t"],
      ["t<FILE>", ":files"],
    ],
    [
      ["completion", "z"],
      ["zsh", "z<SHELL>"],
    ],
    [["jobs", "--", "-x"], ["-x<MACHINE>"]],
    [["no-such-command", "x"], []],
  ])("of %j offers %j", async (words, expected) => {
    expect(await next(...words)).toEqual(expected);
  });

  it("of nothing offers every command, and none that is hidden", async () => {
    const all = await next("");
    expect(all).toEqual(expect.arrayContaining(["up", "exec", "completion"]));
    expect(all.join()).not.toContain("__");
  });

  it.each(SHELLS)("has a script that %s can read, where there is one", async (shell) => {
    const directory = await mkdtemp(path.join(os.tmpdir(), "cmdop-completion-"));
    try {
      const script = path.join(directory, "script");
      await writeFile(script, SCRIPTS[shell]);
      execFileSync(shell, ["-n", script]);
    } catch (thrown) {
      expect(thrown).toMatchObject({ code: "ENOENT" });
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});
