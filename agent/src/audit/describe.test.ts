import {
  Agent,
  Approvals,
  codec,
  Exec,
  Files,
  Jobs,
  Machine,
  METHODS,
  type MessageOf,
  type MessageType,
  methodPath,
  RELAY_SERVICES_PREFIX,
  Sessions,
} from "@cmdop/proto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { redactor } from "../policy/redact.ts";
import { describe as describeCall, describeWithin, jobIdOf } from "./describe.ts";

const JOB = "6f1f5b1e-5a43-4c49-9d3c-0a4d3ed63b3e";
const SECRET = "hunter2";

/** Makes a message as it arrives over the wire. */
function message<T extends MessageType>(
  type: T,
  init: Parameters<ReturnType<typeof codec<T>>["serialize"]>[0],
) {
  const { serialize, deserialize } = codec(type);
  return deserialize(serialize(init));
}

const START = "/cmdop.v1.Exec/Start";
const start = (init: Parameters<typeof message<typeof Exec.method.start.input>>[1]): string =>
  describeCall(START, message(Exec.method.start.input, init));
const shell = (value: string): string => start({ jobId: JOB, command: { case: "shell", value } });
const argv = (args: string[]): string => start({ jobId: JOB, command: { case: "argv", value: { args } } });

describe("what a call is about to do, in words", () => {
  it.each([
    [shell("uptime"), "shell uptime"],
    [shell("docker restart app"), "shell 'docker restart app'"],
    [argv(["git", "commit", "-m", "it's done"]), `argv git commit -m 'it'"'"'s done'`],
    [
      start({
        jobId: JOB,
        command: { case: "shell", value: "make" },
        lineShell: "/bin/zsh",
        login: true,
      }),
      "shell make, by /bin/zsh, with the profile",
    ],
    [
      start({
        jobId: JOB,
        command: { case: "shell", value: "make" },
        cwd: "/srv/my app",
        env: { PATH: SECRET, AWS_SECRET: SECRET },
        timeoutMs: 5000,
        stdin: Buffer.from(SECRET),
        stdinOpen: true,
      }),
      "shell make, cwd '/srv/my app', env AWS_SECRET PATH, time limit 5000 ms, input 7 bytes, input to follow",
    ],
    [
      describeCall(
        "/cmdop.v1.Sessions/Create",
        message(Sessions.method.create.input, {
          sessionId: JOB,
          shell: ["/bin/bash", "-l"],
          env: { A: SECRET },
        }),
      ),
      "session of /bin/bash -l, env A",
    ],
    [
      describeCall(
        "/cmdop.v1.Files/Write",
        message(Files.method.write.input, { path: "/etc/hosts", content: Buffer.from(SECRET), mode: 0o600 }),
      ),
      "/etc/hosts, 7 bytes, mode 600",
    ],
    [
      describeCall(
        "/cmdop.v1.Files/Edit",
        message(Files.method.edit.input, { path: "/f", old: Buffer.from(SECRET), ifMatch: Buffer.alloc(32) }),
      ),
      "/f, 7 bytes by 0, if unchanged",
    ],
    [
      describeCall(
        "/cmdop.v1.Files/Search",
        message(Files.method.search.input, { path: "/src", names: ["*.ts"], content: "a b" }),
      ),
      "/src, names '*.ts', lines with 'a b'",
    ],
    [
      describeCall(
        "/cmdop.v1.Files/Copy",
        message(Files.method.copy.input, { source: "/a b", destination: "/c" }),
      ),
      "'/a b' /c",
    ],
    [
      describeCall(
        "/cmdop.v1.Jobs/Signal",
        message(Jobs.method.signal.input, { jobId: JOB, signal: "SIGINT" }),
      ),
      `signal SIGINT, job ${JOB}`,
    ],
    [
      describeCall(
        "/cmdop.v1.Jobs/Input",
        message(Jobs.method.input.input, { jobId: JOB, data: Buffer.from(SECRET) }),
      ),
      `job ${JOB}`,
    ],
  ])("%s", (said, expected) => {
    expect(said).toBe(expected);
    expect(said).not.toContain(SECRET);
  });

  it("shows nothing that could mislead a terminal or an eye", () => {
    expect(shell("echo \u001b[2K\u202eyrros")).toBe("shell 'echo \\u{1b}[2K\\u{202e}yrros'");
    expect(shell("a\nb")).toBe("shell 'a\\nb'");
  });

  it("two commands that differ are never described alike", () => {
    const word = fc.oneof(
      fc.constantFrom("", " ", "'", '"', ", ", "cwd", "\\", "\\n", "\n", "-m", `'"'"'`, "env"),
      fc.string({ unit: "binary", maxLength: 6 }),
    );
    const args = fc.array(
      word.filter((text) => text.isWellFormed()),
      { minLength: 1, maxLength: 5 },
    );
    fc.assert(
      fc.property(args, args, (one, other) => {
        fc.pre(JSON.stringify(one) !== JSON.stringify(other));
        expect(argv(one)).not.toBe(argv(other));
        expect(shell(one.join(" "))).not.toBe(argv(one));
      }),
    );
  });

  it("leaves out what the policy's patterns match, as often as they do", () => {
    const request = message(Exec.method.start.input, {
      jobId: JOB,
      command: { case: "shell", value: "login --password=a --password=b" },
    });
    const redact = redactor(["--password="]);
    expect(describeWithin(START, request, { maxBytes: 1_000, redact })).toBe(
      "shell 'login --password=[redacted] --password=[redacted]",
    );
  });

  it("knows every method of the machine", () => {
    // The names of these methods say everything.
    const silent = ["Jobs/List", "Machine/Info", "Machine/AuditHead", "Approvals/List"];
    const types = new Map<string, MessageType>();
    for (const service of [Agent, Approvals, Exec, Files, Jobs, Machine, Sessions]) {
      for (const method of service.methods) types.set(methodPath(service, method), method.input);
    }
    for (const path of Object.keys(METHODS)) {
      if (path.startsWith(RELAY_SERVICES_PREFIX)) continue;
      const said = describeCall(path, message(types.get(path) ?? Exec.method.start.input, {}));
      expect([path, said !== ""]).toEqual([path, !silent.includes(path.slice("/cmdop.v1.".length))]);
    }
  });

  it("finds the job that a call is about", () => {
    const named = (request: MessageOf<MessageType>): string | undefined => jobIdOf(request);
    expect(named(message(Jobs.method.cancel.input, { jobId: JOB }))).toBe(JOB);
    expect(named(message(Sessions.method.screen.input, { sessionId: JOB }))).toBe(JOB);
    expect(named(message(Files.method.info.input, { path: "/" }))).toBeUndefined();
  });
});
