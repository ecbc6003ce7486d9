import { codec, Exec, Files, type MessageType, Sessions } from "@cmdop/proto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { questionText, requestHash } from "./question.ts";

const START = "/cmdop.v1.Exec/Start";
const JOB = "6f1f5b1e-5a43-4c49-9d3c-0a4d3ed63b3e";

type Init<T extends MessageType> = Parameters<ReturnType<typeof codec<T>>["serialize"]>[0];

/** A message as it comes over the wire. */
function message<T extends MessageType>(type: T, init: Init<T>) {
  const { serialize, deserialize } = codec(type);
  return deserialize(serialize(init));
}

const startType = Exec.method.start.input;
const start = (more: Init<typeof startType> = {}) =>
  message(startType, { jobId: JOB, command: { case: "shell", value: "ls" }, ...more });

describe("what a person is shown", () => {
  it("is all that decides what runs: values of variables and input too", () => {
    const request = start({
      env: { PATH: "/tmp/evil:/bin", B: "x; input: 'y'" },
      stdin: Buffer.from("rm -rf /\n\u202e"),
      stdinOpen: true,
    });
    const text = questionText(START, request);
    expect(text).toContain("shell ls");
    expect(text).toContain("PATH=/tmp/evil:/bin");
    expect(text).toContain(`B='x; input: '"'"'y'"'"''`);
    expect(text).toContain("input: 'rm -rf /\\n\\u{202e}'");
    expect(text).toContain("input stays open: whatever its caller sends later");
    const binary = questionText(START, start({ stdin: new Uint8Array([0xff, 0]) }));
    expect(binary).toContain("in hexadecimal ff00");
  });

  it("has both texts of an edit", () => {
    const words = { old: Buffer.from("PermitRootLogin no"), new: Buffer.from("PermitRootLogin yes\u202e") };
    const edit = message(Files.method.edit.input, { path: "/etc/ssh/sshd_config", ...words });
    expect(questionText("/cmdop.v1.Files/Edit", edit)).toMatch(
      /sshd_config.*old: 'PermitRootLogin no'; new: 'PermitRootLogin yes\\u\{202e\}'/,
    );
  });

  it("names content by its hash, and says what is still to come", () => {
    const write = message(Files.method.write.input, { path: "/etc/motd", content: Buffer.from("hi") });
    expect(questionText("/cmdop.v1.Files/Write", write)).toMatch(/\/etc\/motd.*2 bytes, SHA-256 8f434346/);
    const upload = message(Files.method.writeStream.input, { header: { path: "/x" } });
    expect(questionText("/cmdop.v1.Files/WriteStream", upload)).toContain(
      "content: whatever its caller sends",
    );
    const session = message(Sessions.method.create.input, { sessionId: JOB, shell: ["/bin/sh"] });
    expect(questionText("/cmdop.v1.Sessions/Create", session)).toMatch(/session of \/bin\/sh.*types later/);
  });

  it("differs where what would run differs", () => {
    const variables = fc.dictionary(fc.string(), fc.string(), { maxKeys: 3 });
    const calls = fc.record({ line: fc.string(), cwd: fc.string(), env: variables, input: fc.string() });
    const asked = fc.tuple(calls, calls);
    fc.assert(
      fc.property(asked, ([one, other]) => {
        const [a, b] = [one, other].map(({ line, cwd, env, input }) =>
          start({ command: { case: "shell", value: line }, cwd, env, stdin: Buffer.from(input) }),
        );
        if (a === undefined || b === undefined) throw new TypeError("two make two");
        const same = requestHash(a) === requestHash(b);
        expect(questionText(START, a) === questionText(START, b)).toBe(same);
        expect(questionText(START, a)).not.toMatch(/[\p{Cc}\p{Cf}]/u);
      }),
    );
  });
});

describe("what tells requests apart", () => {
  it("is all of a request, but for where a retry goes on reading", () => {
    const hash = requestHash(start());
    expect(requestHash(start({ after: 7n }))).toBe(hash);
    const others = [
      start({ jobId: JOB.replace("6", "7") }),
      start({ cwd: "/x" }),
      start({ env: { A: "1" } }),
      start({ stdin: new Uint8Array([1]) }),
      start({ stdinOpen: true }),
      start({ timeoutMs: 1 }),
      start({ command: { case: "argv", value: { args: ["ls"] } } }),
      message(Files.method.read.input, { path: "ls" }),
    ];
    expect(new Set([hash, ...others.map(requestHash)]).size).toBe(others.length + 1);
  });

  it("knows where one value ends and the next begins", () => {
    const args = fc.array(fc.string(), { maxLength: 4 });
    fc.assert(
      fc.property(args, args, (one, other) => {
        const [a, b] = [one, other].map((list) =>
          requestHash(start({ command: { case: "argv", value: { args: list } } })),
        );
        expect(a === b).toBe(JSON.stringify(one) === JSON.stringify(other));
      }),
    );
  });
});
