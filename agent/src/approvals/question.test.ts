import { createHash } from "node:crypto";
import {
  Agent,
  Approvals,
  codec,
  Exec,
  Files,
  type MessageOf,
  type MessageType,
  methodPath,
  Sessions,
} from "@cmdop/proto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PLAIN_SHELLS } from "../login/line-shell.ts";
import { ASKABLE } from "../policy/ask.ts";
import { checkShowable, questionText } from "./question.ts";

const START = "/cmdop.v1.Exec/Start";
const WRITE = "/cmdop.v1.Files/Write";
const RUN = "/cmdop.v1.Agent/Run";
const JOB = "6f1f5b1e-5a43-4c49-9d3c-0a4d3ed63b3e";

type Init<T extends MessageType> = Parameters<ReturnType<typeof codec<T>>["serialize"]>[0];

/** Makes a message as it arrives over the wire. */
function message<T extends MessageType>(type: T, init: Init<T>): MessageOf<T> {
  const { serialize, deserialize } = codec(type);
  return deserialize(serialize(init));
}

const startType = Exec.method.start.input;
const start = (more: Init<typeof startType> = {}) =>
  message(startType, { jobId: JOB, command: { case: "shell", value: "ls" }, ...more });
const lines = async (path: string, request: MessageOf<MessageType>) =>
  (await questionText(path, request)).split("\n");

describe("what a person is shown", () => {
  it("is all that decides what runs: arguments, values of variables and input too", async () => {
    const request = start({
      command: { case: "argv", value: { args: ["sh", "-c", "a b"] } },
      cwd: "/x",
      env: { PATH: "/tmp/evil:/bin", B: "x\nshell: 'y'", case: "1", value: "2", $typeName: "3" },
      stdin: Buffer.from("rm -rf /\n\u202e"),
      stdinOpen: true,
      timeoutMs: 5_000,
    });
    expect(await lines(START, request)).toEqual([
      `env: '$typeName'=3 B='x\\nshell: '"'"'y'"'"'' PATH=/tmp/evil:/bin case=1 value=2`,
      `jobId: ${JOB}`,
      "stdin: rm -rf /\\n\\u{202e}",
      "args: sh -c 'a b'",
      "timeoutMs: 5000",
      "stdinOpen: yes",
      "cwd: /x",
      "not known yet: whatever its caller sends to its input later",
      "careful: \\u{…} stands for what can't be seen, or what looks like another character",
    ]);
    const binary = await questionText(START, start({ stdin: new Uint8Array([0xff, 0]) }));
    expect(binary).toContain("stdin: hexadecimal ff00");
  });

  it("is which shell would run a line, and whether it reads the profile, also where only the machine says so", async () => {
    const shells = { ...PLAIN_SHELLS, lineShell: "/bin/zsh", readsProfile: true };
    const own = (await questionText(START, start(), shells)).split("\n");
    expect(own).toContain("lineShell: /bin/zsh (this machine's)");
    expect(own).toContain("login: yes (this machine's policy)");
    const named = (await questionText(START, start({ lineShell: "sh", login: false }), shells)).split("\n");
    expect(named).toContain("lineShell: sh");
    expect(named).toContain("login: no");
    expect(await questionText(START, start())).not.toContain("lineShell");
  });

  it("has both texts of an edit, and permissions as people write them", async () => {
    const words = { old: Buffer.from("PermitRootLogin no"), new: Buffer.from("PermitRootLogin yes\u202e") };
    const edit = message(Files.method.edit.input, { path: "/etc/ssh/sshd_config", ...words });
    const shown = await lines("/cmdop.v1.Files/Edit", edit);
    expect(shown).toContain("old: PermitRootLogin no");
    expect(shown).toContain("new: PermitRootLogin yes\\u{202e}");
    const append = message(Files.method.append.input, {
      path: "/x",
      content: Buffer.from("a"),
      mode: 0o4755,
      ifSize: 0n,
    });
    expect(await lines("/cmdop.v1.Files/Append", append)).toEqual(
      expect.arrayContaining(["mode: 4755", "ifSize: 0"]),
    );
  });

  it("shows content with its size and hash, and of long content both ends", async () => {
    for (const middle of ["", "x = 1\n".repeat(500_000)]) {
      const content = Buffer.from(`first${middle}last`);
      const hash = createHash("sha256").update(content).digest("hex");
      const size = content.length.toLocaleString("en-US");
      const shown = await questionText(
        WRITE,
        message(Files.method.write.input, { path: "/etc/motd", content }),
      );
      expect(shown).toContain(`content (${size} bytes, SHA-256 ${hash}): first`);
      expect(shown).toMatch(/last$/m);
      expect(shown.length).toBeLessThan(3_000);
      expect(shown.includes("careful: not all of it is shown")).toBe(middle !== "");
    }
  });

  it("shows a run's prompt and schema, whole where they are short, else both ends and the hash", async () => {
    const prompt = `Tidy up.${" ".repeat(5_000)}${"word ".repeat(2_000)}Then delete all.`;
    const hash = createHash("sha256").update(prompt).digest("hex");
    const run = message(Agent.method.run.input, {
      prompt,
      outputSchema: '{"type":"object"}',
      agentType: 3,
      approve: 1,
    });
    const shown = await lines(RUN, run);
    expect(shown).toContain('outputSchema: {"type":"object"}');
    expect(shown).toContain("agentType: command");
    expect(shown).toContain("approve: writes");
    expect(shown[0]).toMatch(
      new RegExp(`^prompt \\(15,024 bytes, SHA-256 ${hash}\\): Tidy up\\.\\\\\\{␣ × 5,000\\}word`),
    );
    expect(shown[0]).toMatch(/characters left out …\}.*Then delete all\.$/);
  });

  it("says what is still to come", async () => {
    const upload = message(Files.method.writeStream.input, { header: { path: "/x" } });
    expect(await lines("/cmdop.v1.Files/WriteStream", upload)).toEqual([
      "path: /x",
      "not known yet: the content, its size and its hash; whatever its caller sends",
    ]);
    const session = message(Sessions.method.create.input, { sessionId: JOB, shell: ["/bin/sh"] });
    expect(await questionText("/cmdop.v1.Sessions/Create", session)).toMatch(
      /^shell: \/bin\/sh$[\s\S]*types later/m,
    );
  });

  it("knows every method that a policy can let wait, and shows each of their fields", async () => {
    const services = [Exec, Sessions, Files, Agent];
    for (const path of ASKABLE.filter((entry) => entry.startsWith("/"))) {
      const [type] = services.flatMap((service) =>
        service.methods.filter((method) => methodPath(service, method) === path).map(({ input }) => input),
      );
      if (type === undefined) throw new Error(`${path} would be asked for, and not shown`);
      expect(await questionText(path, message(type, {}))).not.toContain("[object");
      // A list of messages would not be shown in a readable form.
      const isReadable = type.fields.every(
        (field) => field.fieldKind !== "list" || field.listKind !== "message",
      );
      expect([path, isReadable]).toEqual([path, true]);
    }
    const answer = message(Approvals.method.answer.input, {});
    await expect(questionText("/cmdop.v1.Approvals/Answer", answer)).rejects.toMatchObject({
      code: "Unimplemented",
    });
  });

  it.each<[string, Init<typeof startType>]>([
    ["a command line of 33 KB", { command: { case: "shell", value: "x".repeat(33 * 1024) } }],
    ["a million arguments", { command: { case: "argv", value: { args: Array(1_000_000).fill("") } } }],
    ["variables of 40 KB", { env: { A: "x".repeat(40_000) } }],
    ["names of variables of 40 KB", { env: { ["A".repeat(40_000)]: "" } }],
    ["a megabyte of input", { stdin: Buffer.alloc(1024 * 1024) }],
  ])("%s is refused before anything of it is built", (_, more) => {
    const request = start(more);
    expect(() => checkShowable(START, request)).toThrow(expect.objectContaining({ code: "MessageTooLarge" }));
  });

  const texts = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.constant(" ".repeat(5_000)),
    fc.constant("ab".repeat(9_000)),
  );

  it("is short whatever is asked, each field on its line, without anything that moves a cursor", async () => {
    const env = fc.dictionary(fc.string(), texts, { maxKeys: 2 });
    const calls = fc.record({ line: texts, cwd: texts, env, input: texts, content: fc.uint8Array() });
    await fc.assert(
      fc.asyncProperty(calls, async ({ line, cwd, env, input, content }) => {
        const request = start({
          command: { case: "shell", value: line },
          cwd,
          env,
          stdin: Buffer.from(input),
        });
        const [of] = [await lines(START, request)];
        expect(of.length).toBeLessThanOrEqual(7);
        for (const shown of of) {
          expect(shown.length).toBeLessThan(2_200);
          expect(shown).not.toMatch(/[\p{Cc}\p{Cf}]/u);
        }
        const written = await questionText(WRITE, message(Files.method.write.input, { path: "/x", content }));
        const hash = createHash("sha256").update(content).digest("hex");
        expect(written).toContain(content.length === 0 ? "content: empty" : hash);
      }),
      { numRuns: 50 },
    );
  });

  it("differs where what would run differs", async () => {
    const env = fc.dictionary(fc.string(), fc.string(), { maxKeys: 3 });
    const calls = fc.record({ line: fc.string(), cwd: fc.string(), env, input: fc.string() });
    await fc.assert(
      fc.asyncProperty(calls, calls, async (...both) => {
        const shown = both.map(({ line, cwd, env, input }) =>
          questionText(
            START,
            start({ command: { case: "shell", value: line }, cwd, env, stdin: Buffer.from(input) }),
          ),
        );
        const [one, other] = await Promise.all(shown);
        const [a, b] = both.map(({ line, cwd, env, input }) =>
          JSON.stringify([line, cwd, Object.entries(env).sort(), input]),
        );
        expect(one === other).toBe(a === b);
      }),
    );
  });
});
