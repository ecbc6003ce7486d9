import { create, toBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { Exec, Files } from "../index.ts";
import { MAX_COMMAND_BYTES, MAX_REQUEST_FIELDS, MAX_REQUEST_TEXT_BYTES } from "../limits.ts";
import { failure, started } from "../testing/services.ts";
import { checkRequestBounds } from "./request-bounds.ts";

const start = Exec.method.start.input;
const many = (length: number, text = "") => Array.from({ length }, () => text);

/** A request to start something, as it is on the wire. */
function wire(init: Parameters<typeof create<typeof start>>[1]): Uint8Array {
  return toBinary(start, create(start, init));
}
const argv = (args: string[]) => wire({ command: { case: "argv", value: { args } } });
const env = (names: number, value = "") =>
  wire({ env: Object.fromEntries(many(names).map((_, index) => [`name_${index}`, value])) });

describe("promise 9: a request is decoded only where that is quickly done", () => {
  it.each([
    ["arguments", argv(many(MAX_REQUEST_FIELDS))],
    ["variables", env(MAX_REQUEST_FIELDS / 2)],
    [
      "one entry of a map that says its name again and again",
      Buffer.from(`2a80c002${"0a00".repeat(20_480)}`, "hex"),
    ],
    ["fields that nobody knows", Buffer.from("f80601".repeat(MAX_REQUEST_FIELDS + 1), "hex")],
    ["text", argv(many(2, "x".repeat(MAX_COMMAND_BYTES * 0.6)))],
    ["text of variables", env(20, "x".repeat(MAX_COMMAND_BYTES / 16))],
  ])("too many %s are refused before", (_, bytes) => {
    expect(() => checkRequestBounds(start, bytes)).toThrow(
      expect.objectContaining({ code: "MessageTooLarge" }),
    );
  });

  it.each([
    ["the largest command", argv(many(1_024, "x".repeat(MAX_COMMAND_BYTES / 1_024)))],
    ["many arguments", argv(many(MAX_REQUEST_FIELDS - 1, "abc"))],
    [
      "much input",
      wire({ command: { case: "shell", value: "cat" }, stdin: new Uint8Array(MAX_COMMAND_BYTES) }),
    ],
  ])("%s is let through", (_, bytes) => {
    expect(() => checkRequestBounds(start, bytes)).not.toThrow();
  });

  it("content may be as large as a message", () => {
    const input = Files.method.write.input;
    const bytes = toBinary(input, create(input, { content: new Uint8Array(4 * MAX_REQUEST_TEXT_BYTES) }));
    expect(() => checkRequestBounds(input, bytes)).not.toThrow();
  });

  it("a server refuses it before its gate sees it, and says what to do", async () => {
    const gate = async () => expect.fail("the gate was asked");
    await using client = await started({}, {}, gate);
    expect(await failure(client.files.partial({ path: "x".repeat(2 * MAX_COMMAND_BYTES) }))).toMatchObject({
      code: "MessageTooLarge",
      next: expect.stringContaining("into a file"),
    });
  });

  it("what is no message is refused as such", () => {
    const group = Buffer.alloc(100_000, 0x0b);
    expect(() => checkRequestBounds(start, group)).toThrow(RangeError);
    const cut = Buffer.concat([argv(many(10_000, "abc")), Buffer.from("0aff", "hex")]);
    expect(() => checkRequestBounds(start, cut)).toThrow(RangeError);
  });
});
