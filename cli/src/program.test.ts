import type { Command } from "commander";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { setOutput } from "./console/output.ts";
import { commandLine, runProgram } from "./program.ts";

let stderr: string;

beforeEach(() => {
  stderr = "";
  vi.stubEnv("CMDOP_HOME", "/nonexistent");
  vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    stderr += text;
    return true;
  });
});
afterEach(() => {
  setOutput({ json: false, level: "normal" });
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

const run = (...args: string[]): Promise<number> => runProgram(["node", "cmdop", ...args]);

describe("a command line with a slip", () => {
  it.each([
    [["machnes"], "Did you mean machines?"],
    [["machines", "lst"], "Did you mean list?"],
    [["keys", "crate", "x"], "Did you mean create?"],
    [["keys", "list", "--al"], "Did you mean --all?"],
    [["exec", "--timout", "5s", "web-1", "true"], "Did you mean --timeout?"],
    [["audit", "verfy"], "Did you mean verify?"],
    [["policy", "explain", "k", "Files/Raed"], "Did you mean Files/Read"],
    [["keys", "show", "-Zm5hYx2Qa"], "cmdop show -- -Zm5hYx2Qa"],
  ])("%j exits with 2 and says: %s", async (args, hint) => {
    expect(await run(...args)).toBe(2);
    expect(stderr).toContain(hint);
  });

  it.each([
    [["machines", "--jsno", "-o", "json"], "unknown option '--jsno'"],
    [["jobs", "a", "b", "--json"], "too many arguments"],
    [["jobs", "-o", "xml", "--json"], "Allowed choices are text, json"],
    [["exec", "--json"], "missing required argument 'machine'"],
    [["exec", "--output=json", "m"], "the command is missing."],
    [["keys", "--json"], "unknown option '--json'"],
  ])("%j is told as one line of JSON: %s", async (args, message) => {
    expect(await run(...args)).toBe(2);
    const error = { code: "InvalidArgument", message: expect.stringContaining(message) };
    expect(JSON.parse(stderr)).toEqual({ error: { ...error, next: expect.stringMatching(/./) } });
  });
});

describe("every command", () => {
  /** Those that show another program's terminal, speak a protocol, or print a script. */
  const WITHOUT_JSON = ["shell", "attach", "mcp", "completion", "__complete"];
  const all = (command: Command = commandLine()): Command[] => [
    ...(command.commands.length === 0 || command.name() === "mcp" ? [command] : []),
    ...command.commands.flatMap((below) => all(below)),
  ];

  it("prints JSON with --json and -o json, and takes -q and -v", () => {
    for (const command of all()) {
      if (WITHOUT_JSON.includes(command.name())) continue;
      const longs = command.options.map(({ long }) => long);
      expect([command.name(), ...longs]).toEqual(
        expect.arrayContaining(["--json", "--output", "--quiet", "--verbose"]),
      );
    }
  });
});
