import { afterEach, describe, expect, it, vi } from "vitest";
import { CliCommand } from "../console/cli-command.ts";
import { registerExec } from "./exec.ts";
import { execTarget } from "./exec-target.ts";

afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

/** Parses a command line as cmdop does, and takes it apart. */
async function targetOf(...argv: string[]) {
  const program = new CliCommand("cmdop").enablePositionalOptions().exitOverride();
  program.configureOutput({ writeErr: () => undefined });
  registerExec(program);
  const [exec] = program.commands;
  let found: { words: string[]; options: object } | undefined;
  exec?.action((first: string, rest: string[], options: object) => {
    found = { words: [first, ...rest], options };
  });
  await program.parseAsync(["node", "cmdop", "exec", ...argv]);
  if (found === undefined) throw new TypeError("no action");
  return { ...execTarget(found.words, ["node", "cmdop", "exec", ...argv]), options: found.options };
}

describe("the command of cmdop exec is what ssh makes of it", () => {
  it.each([
    [["m", "ls -la"], "ls -la"],
    [["m", "ls", "-la"], "ls -la"],
    [["m", "tail", "-n", "5", "/etc/hosts"], "tail -n 5 /etc/hosts"],
    [["m", "lsblk", "--json"], "lsblk --json"],
    [["m", "git", "log", "--", "file"], "git log -- file"],
    [["m", "echo", "--"], "echo --"],
    [["m", "ls", "--help"], "ls --help"],
    [["-n", "m", "--json", "ls", "-d"], "ls -d"],
    [
      ["m", "--", "ls", "-la", "--json"],
      ["ls", "-la", "--json"],
    ],
    [["m", "--", "--"], ["--"]],
    [
      ["m", "--cwd", "/", "--", "git", "log", "--", "a b"],
      ["git", "log", "--", "a b"],
    ],
  ])("%j runs %j", async (argv, command) => {
    expect(await targetOf(...argv)).toMatchObject({ machine: "m", command });
  });

  it("options before the command are ours, also behind the machine", async () => {
    const { options } = await targetOf("m", "--json", "--timeout", "5s", "ls", "--cwd", "/");
    expect(options).toMatchObject({ json: true, timeout: 5 });
    expect(options).not.toHaveProperty("cwd");
  });

  it("CMDOP_MACHINE stands for a machine that is not named", async () => {
    vi.stubEnv("CMDOP_MACHINE", "own");
    expect(await targetOf("uptime")).toMatchObject({ machine: "own", command: "uptime" });
    expect(await targetOf("--", "ls", "-la")).toMatchObject({ machine: "own", command: ["ls", "-la"] });
    expect(await targetOf("m", "ls", "-la")).toMatchObject({ machine: "m", command: "ls -la" });
  });

  it("says so where quotes were lost on the way", async () => {
    expect(await targetOf("m", "grep", "a b", "file")).toMatchObject({
      command: "grep a b file",
      hint: expect.stringContaining('"grep a b file". With -- before the program'),
    });
    expect(await targetOf("m", "grep a b")).not.toHaveProperty("hint");
  });

  it.each([
    [["m", "-la"], "unknown option"],
    [["m", "--"], "exit 2"],
    [["m"], "exit 2"],
  ])("%j is refused: %s", async (argv, why) => {
    vi.spyOn(process.stderr, "write").mockReturnValue(true);
    await expect(targetOf(...argv)).rejects.toThrow(why);
  });
});
