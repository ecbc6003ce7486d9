import { createHash } from "node:crypto";
import { codec, Exec, Files, type MessageType } from "@cmdop/proto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Caller } from "../policy/caller.ts";
import { type Bound, boundHash, sha256 } from "./binding.ts";

const START = "/cmdop.v1.Exec/Start";
const JOB = "6f1f5b1e-5a43-4c49-9d3c-0a4d3ed63b3e";

type Init<T extends MessageType> = Parameters<ReturnType<typeof codec<T>>["serialize"]>[0];

function message<T extends MessageType>(type: T, init: Init<T>) {
  const { serialize, deserialize } = codec(type);
  return deserialize(serialize(init));
}

const startType = Exec.method.start.input;
const start = (more: Init<typeof startType> = {}) =>
  message(startType, { jobId: JOB, command: { case: "shell", value: "ls" }, ...more });
const caller: Caller = {
  door: "relay",
  keyId: "key",
  keyName: "ci",
  scopes: new Set(["terminal"]),
  roots: [],
};
const bound = (more: Partial<Bound> = {}): Bound => ({
  path: START,
  request: start(),
  caller,
  resource: { paths: [] },
  user: undefined,
  ...more,
});

describe("promise 5: what a yes is bound to", () => {
  it("is all of the call, but for where a retry goes on reading", async () => {
    const hash = await boundHash(bound());
    expect(hash).toMatch(/^[0-9a-f]{64}$/);
    expect(await boundHash(bound({ request: start({ after: 7n }) }))).toBe(hash);
    const requests = [
      start({ jobId: JOB.replace("6", "7") }),
      start({ cwd: "/x" }),
      start({ env: { A: "1" } }),
      start({ stdin: new Uint8Array([1]) }),
      start({ stdinOpen: true }),
      start({ timeoutMs: 1 }),
      start({ command: { case: "argv", value: { args: ["ls"] } } }),
      message(Files.method.read.input, { path: "ls" }),
    ];
    const others: Bound[] = [
      ...requests.map((request) => bound({ request })),
      bound({ path: "/cmdop.v1.Exec/Other" }),
      bound({ caller: { ...caller, keyId: "local" } }),
      bound({ caller: { ...caller, door: "local" } }),
      bound({ caller: { ...caller, scopes: new Set(["terminal", "admin"]) } }),
      bound({ caller: { ...caller, roots: [["/"]] } }),
      bound({ caller: { ...caller, roots: [["/"], []] } }),
      bound({ resource: { paths: [{ path: "/x", access: "files:read" }] } }),
      bound({ resource: { paths: [], starts: { programs: ["/bin/sh"], variables: [] } } }),
      bound({ user: "daemon" }),
    ];
    const hashes = await Promise.all(others.map(boundHash));
    expect(new Set([hash, ...hashes]).size).toBe(others.length + 1);
  });

  it("knows where one value ends and the next begins", async () => {
    const args = fc.array(fc.string(), { maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(args, args, async (...both) => {
        const [one, other] = await Promise.all(
          both.map((list) =>
            boundHash(bound({ request: start({ command: { case: "argv", value: { args: list } } }) })),
          ),
        );
        expect(one === other).toBe(JSON.stringify(both[0]) === JSON.stringify(both[1]));
      }),
    );
  });

  it("is hashed in slices, between which others are served", async () => {
    const content = Buffer.alloc(4 * 1024 * 1024, 7);
    let turns = 0;
    const count = (): void => {
      turns += 1;
      counting = setImmediate(count);
    };
    let counting = setImmediate(count);
    const hash = await sha256(["a", content, "é"]);
    clearImmediate(counting);
    expect(turns).toBeGreaterThanOrEqual(4);
    expect(hash).toBe(createHash("sha256").update("a").update(content).update("é").digest("hex"));
  });
});
