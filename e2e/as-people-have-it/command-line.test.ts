import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Cluster } from "../support/cluster.ts";
import { type Finished, runCmdop, runShell } from "../support/cmdop-process.ts";

let cluster: Cluster;
let env: Record<string, string>;
let machineId: string;
let keyId: string;

beforeAll(async () => {
  cluster = await Cluster.start();
  await cluster.addMachine("web-1");
  const scopes = ["terminal", "files:read", "files:write", "machines:read"] as const;
  const key = await cluster.createKey({ name: "caller", scopes: [...scopes], machines: ["*"] });
  env = { CMDOP_API_KEY: key.apiKey, CMDOP_HOME: cluster.directory };
  keyId = key.keyId;
  machineId = JSON.parse((await cmdop("machines", "--json")).stdout).id;
});
afterAll(() => cluster[Symbol.asyncDispose]());

const cmdop = (...args: string[]): Promise<Finished> => runCmdop(args, env);
const operator = (...args: string[]): Promise<Finished> => runCmdop(args, cluster.operatorEnv);

/** The beginning of an id, or the name where it begins with a dash (one in 64 does) and would be taken for an option. */
const beginning = (id: string, name: string): string => (id.startsWith("-") ? name : id.slice(0, 6));

describe("ids of 43 characters", () => {
  it("filled the tables: now names and the beginnings of ids do, and --json has the ids whole", async () => {
    const keys = await operator("keys", "list");
    expect(keys.stdout).toMatch(/^NAME +STATE +ENDS +LAST USED +SCOPES +MACHINES +ID$/m);
    expect(keys.stdout).toMatch(new RegExp(`^caller .* ${keyId.slice(0, 8)}$`, "m"));
    expect(keys.stdout).not.toContain(keyId);
    expect((await operator("keys", "list", "--json")).stdout).toContain(`"keyId":"${keyId}"`);
    expect((await cmdop("machines")).stdout).toMatch(
      new RegExp(`^NAME +STATE +VERSION +LABELS +ID\nweb-1 +online .* ${machineId.slice(0, 8)}\n$`),
    );
  });

  it("had to be typed whole: the beginning that a table shows is enough for every command", async () => {
    const short = beginning(machineId, "web-1");
    expect(await cmdop("exec", short, "echo hi")).toMatchObject({ exitCode: 0, stdout: "hi\n" });
    expect((await cmdop("jobs", short, "--all")).stdout).toContain("echo hi");
    const line = `echo through stdin | "$NODE" "$MAIN" exec ${short} cat`;
    expect(await runShell(line, env)).toMatchObject({ stdout: "through stdin\n" });
    expect(await cmdop("cp", `${short}:/etc/hostname`, `${cluster.directory}/copied`)).toMatchObject({
      exitCode: 0,
    });
    expect((await operator("keys", "show", beginning(keyId, "caller"))).stdout).toMatch(/name +caller/);
    expect(
      (await operator("audit", "--machine", short, "--key", beginning(keyId, "caller"))).stdout,
    ).toContain("Exec/Start");
    expect((await operator("machines", "label", short, "tier=web")).exitCode).toBe(0);
  });

  it("a name that was mistyped was refused without the one that was meant", async () => {
    const machine = await cmdop("exec", "wbe-1", "true");
    expect(machine).toMatchObject({ exitCode: 255, stderr: expect.stringContaining("Did you mean web-1?") });
    const key = await operator("keys", "show", "calller");
    expect(key).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("Did you mean caller?") });
  });
});

describe("programs that read the output", () => {
  it("get JSON of what is listed, changed and started, by --json and by -o json alike", async () => {
    const listed = await cmdop("machines", "-o", "json");
    expect(JSON.parse(listed.stdout)).toMatchObject({ id: machineId, name: "web-1", online: true });
    const changed = await operator("machines", "label", "web-1", "tier=front", "--json");
    expect(JSON.parse(changed.stdout)).toMatchObject({ id: machineId, labels: { tier: "front" } });
    const started = await cmdop("exec", "--detach", "-o", "json", "web-1", "true");
    expect(JSON.parse(started.stdout)).toEqual({ jobId: expect.stringMatching(/^[0-9a-f-]{36}$/) });
  });

  it("get errors as JSON, too, with a code and the next step; every line of stderr is an object", async () => {
    for (const [args, code, exitCode] of [
      [["exec", "--json", "wbe-1", "true"], "MachineUnknown", 255],
      [["machines", "rename", "web-1", "web-2", "--json"], "Unauthenticated", 1],
    ] as const) {
      const result = await cmdop(...args);
      expect(result).toMatchObject({ exitCode, stdout: "" });
      const error = { code, message: expect.any(String), next: expect.any(String) };
      expect(JSON.parse(result.stderr)).toEqual({ error });
    }
  });

  it("can follow a job by its events", async () => {
    const { stdout } = await cmdop("exec", "--detach", "web-1", "echo ä; echo b >&2; exit 3");
    const logs = await cmdop("logs", "web-1", stdout.trim(), "--follow", "--json");
    expect(logs).toMatchObject({ exitCode: 3, stderr: "" });
    const events = logs.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(events).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ type: "stdout", text: "ä\n" }),
        expect.objectContaining({ type: "stderr", text: "b\n" }),
        expect.objectContaining({ type: "ended", outcome: "exited", exitCode: 3 }),
      ]),
    );
  });
});

describe("words on standard error", () => {
  it("could be neither fewer nor more: --quiet says errors only, --verbose what is used, and why it failed", async () => {
    expect(await cmdop("jobs", "web-1", "-q")).toMatchObject({ exitCode: 0, stderr: "" });
    expect((await cmdop("jobs", "web-1")).stderr).toBe(
      "No jobs that run; --all lists those that have ended.\n",
    );
    expect((await cmdop("exec", "-q", "wbe-1", "true")).stderr).toContain("error: ");
    const { stderr } = await cmdop("exec", "-v", "wbe-1", "true");
    expect(stderr).toContain(`home ${cluster.directory}`);
    expect(stderr).toContain("key from CMDOP_API_KEY");
    expect(stderr).toContain("code:  MachineUnknown");
    expect(stderr).not.toContain(env.CMDOP_API_KEY);
  });

  it("asked for quotes or -- where ssh takes the words as they come", async () => {
    expect(await cmdop("exec", "web-1", "printf", "%s-", "-la", "--json")).toMatchObject({
      stdout: "-la---json-",
    });
    const joined = await cmdop("exec", "web-1", "printf", "%s-", "a b");
    expect(joined.stdout).toBe("a-b-");
    expect(joined.stderr).toContain("With -- before the program each stays a word.");
    expect(await cmdop("exec", "web-1", "--", "printf", "%s-", "a b")).toMatchObject({
      stdout: "a b-",
      stderr: "",
    });
  });
});

describe("the Tab key", () => {
  /** What bash would put in the place of the word at the cursor, with the script that it has sourced. */
  async function completed(line: string): Promise<string[]> {
    const script = `
      cmdop() { "$NODE" "$MAIN" "$@"; }
      source <(cmdop completion bash)
      COMP_LINE=$LINE COMP_POINT=\${#LINE} COMP_WORDS=(cmdop)
      _cmdop
      printf '%s\\n' "\${COMPREPLY[@]}"`;
    const { stdout, stderr } = await runShell(script, { ...env, LINE: line });
    expect(stderr).toBe("");
    return stdout.split("\n").filter((word) => word !== "");
  }

  it("did nothing: now it knows commands, machines, and files on a machine with what the shell needs quoted", async () => {
    const directory = path.join(cluster.directory, "tab");
    await mkdir(path.join(directory, "a dir"), { recursive: true });
    await writeFile(path.join(directory, "a dir", "b$c"), "");
    expect(await completed("cmdop mach")).toEqual(["machines"]);
    expect(await completed("cmdop exec we")).toEqual(["web-1"]);
    // What is behind the colon alone is replaced.
    expect(await completed(`cmdop cp web-1:${directory}/`)).toEqual([`${directory}/a\\ dir/`]);
    expect(await completed(`cmdop cp web-1:${directory}/a\\ dir/`)).toEqual([`${directory}/a\\ dir/b\\$c`]);
  });

  it("is silent where nobody can be asked", async () => {
    const nowhere = { CMDOP_HOME: "/nonexistent" };
    expect(await runCmdop(["__complete", "--", "exec", ""], nowhere)).toEqual({
      exitCode: 0,
      stdout: "",
      stderr: "",
    });
  });
});

describe("a surrounding that lacks something", () => {
  it("ended with a stack trace or a file in the working directory: now a sentence says what to do", async () => {
    const line = (variables: string): string =>
      `setpriv --reuid 12345 --regid 12345 --clear-groups env -u HOME -u CMDOP_HOME -u CMDOP_API_KEY ${variables} "$NODE" "$MAIN" machines`;
    const homeless = await runShell(line(""), env);
    expect(homeless).toMatchObject({ exitCode: 1, stdout: "" });
    expect(homeless.stderr).toBe(
      "error: This user has no home directory, so there is no place for cmdop's files.\nnext:  Set CMDOP_HOME to a directory that this user can write to.\n",
    );
    // An empty HOME is none; it was the working directory.
    expect((await runShell(line("HOME="), env)).stderr).toContain("This user has no home directory");
  });

  it("a home on a read-only disk was told as a missing file", async () => {
    const place = path.join(cluster.directory, "read-only");
    await mkdir(place);
    const script = 'mount -t tmpfs -o ro none "$PLACE" && CMDOP_HOME=$PLACE/home "$NODE" "$MAIN" init';
    const { exitCode, stderr } = await runShell(`unshare -m bash -c '${script}'`, { ...env, PLACE: place });
    expect(exitCode).toBe(1);
    expect(stderr).toContain("its disk is read-only (EROFS)");
  });

  it("a reader that left was an error like any other: now it is 141, as for every program", async () => {
    const line = 'set -o pipefail; "$NODE" "$MAIN" --help | true';
    expect(await runShell(line, env)).toEqual({ exitCode: 141, stdout: "", stderr: "" });
  });
});
