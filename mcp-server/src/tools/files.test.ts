import { expect, test } from "vitest";
import { DEFAULT_READ_BYTES, MAX_READ_BYTES, MAX_WRITE_BYTES } from "../limits.ts";
import { toolContext } from "../testing/tool-context.ts";
import type { ToolAnswer, ToolContext } from "../tool.ts";
import { TOOLS } from "../tools.ts";

function call(name: string, args: object, context: ToolContext = toolContext()): Promise<ToolAnswer> {
  const tool = TOOLS.find((candidate) => candidate.name === name);
  if (tool === undefined) throw new TypeError(`there is no tool ${name}`);
  return tool.call(args, context);
}

test("a range is of bytes or of lines", async () => {
  await expect(call("files_read", { path: "/f", offset: 0, start_line: 1 })).rejects.toMatchObject({
    code: "InvalidArgument",
    next: expect.stringContaining("start_line"),
  });
});

test.each(["AB", "A===", "not base64!", "QUJD\nQUJD"])(
  "%j is refused as base64, rather than written as something else",
  async (content) => {
    await expect(call("files_write", { path: "/f", content, encoding: "base64" })).rejects.toMatchObject({
      code: "InvalidArgument",
    });
  },
);

test("content is counted in bytes, and bounded", async () => {
  const content = "€".repeat(Math.floor(MAX_WRITE_BYTES / 3) + 1);
  await expect(call("files_write", { path: "/f", content })).rejects.toMatchObject({
    code: "MessageTooLarge",
  });
});

test("a read returns what a model can take, and more only when asked", async () => {
  const context = toolContext();
  await call("files_write", { path: "/f", content: "x".repeat(MAX_READ_BYTES * 2) }, context);
  expect(await call("files_read", { path: "/f" }, context)).toMatchObject({
    structured: { bytes: DEFAULT_READ_BYTES, nextOffset: DEFAULT_READ_BYTES },
  });
  expect(await call("files_read", { path: "/f", length: MAX_READ_BYTES }, context)).toMatchObject({
    structured: { bytes: MAX_READ_BYTES },
  });
  await expect(call("files_read", { path: "/f", length: MAX_READ_BYTES + 1 }, context)).rejects.toMatchObject(
    {
      code: "InvalidArgument",
    },
  );
});

test("an empty machine is no machine: models write it for an argument they leave out", async () => {
  const context = toolContext();
  await call("files_write", { path: "/f", content: "a", machine: "" }, context);
  expect(await call("files_read", { path: "/f" }, context)).toMatchObject({ text: ["a"] });
});
