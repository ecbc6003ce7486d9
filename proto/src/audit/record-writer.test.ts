import { describe, expect, it } from "vitest";
import { CmdopError } from "../errors/cmdop-error.ts";
import type { ChainLog } from "./chain-log.ts";
import { RecordWriter } from "./record-writer.ts";

/** A chain whose disk rejects all writes while `error` is set. */
class Chain {
  readonly taken: string[] = [];
  error: NodeJS.ErrnoException | undefined;

  readonly append: ChainLog["append"] = (body) => {
    if (this.error !== undefined) {
      throw new CmdopError("AuditUnavailable", "No audit record can be written.", { cause: this.error });
    }
    this.taken.push(JSON.parse(body).error);
    return { seq: this.taken.length, hash: new Uint8Array() };
  };
}

const readOnly = Object.assign(new Error("EROFS: read-only file system, open"), { code: "EROFS" });

const record = (error: string) => ({ type: "policy", at: 0, hash: null, error }) as const;

describe("on a disk that takes nothing", () => {
  it("what is urgent waits in memory, in its order; what is not is refused", () => {
    const chain = new Chain();
    const troubles: unknown[] = [];
    const writer = new RecordWriter(chain, (error) => troubles.push(error));
    chain.error = readOnly;
    writer.write(record("begin"), { urgent: true });
    expect(() => writer.write(record("refused"))).toThrowError("No audit record can be written.");
    writer.writeOrKeep(record("end"), { urgent: true });
    expect([writer.unwritten, troubles.length]).toEqual([2, 3]);
    chain.error = undefined;
    writer.write(record("next"));
    expect(chain.taken).toEqual(["begin", "end", "next"]);
    writer.close();
  });

  it("promise 9: what waits is bounded; beyond it owners and admins are refused as well", () => {
    const chain = new Chain();
    chain.error = readOnly;
    const writer = new RecordWriter(chain, () => undefined);
    const large = record("x".repeat(1_000_000));
    expect(() => {
      for (let index = 0; index < 100; index += 1) writer.write(large, { urgent: true });
    }).toThrowError("No audit record can be written.");
    expect(writer.unwritten).toBeLessThan(10);
    chain.error = undefined;
    writer.close();
  });
});

it("what fails for another reason than the disk is refused to everybody", () => {
  const chain = new Chain();
  chain.error = Object.assign(new Error("EACCES: permission denied, open"), { code: "EACCES" });
  const writer = new RecordWriter(chain, () => undefined);
  expect(() => writer.write(record("begin"), { urgent: true })).toThrowError();
  expect(writer.unwritten).toBe(0);
});
