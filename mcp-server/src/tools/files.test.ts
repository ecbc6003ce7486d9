import { withoutMarks } from "@cmdop/proto";
import { expect, test } from "vitest";
import { z } from "zod";
import {
  DEFAULT_READ_BYTES,
  MAX_READ_BYTES,
  MAX_SEARCH_CHARS,
  MAX_SEARCH_LINE_CHARS,
  MAX_WRITE_BYTES,
} from "../limits.ts";
import { toolContext } from "../testing/tool-context.ts";
import type { ToolAnswer, ToolContext } from "../tool.ts";
import { TOOLS } from "../tools.ts";

function call(name: string, args: object, context: ToolContext = toolContext()): Promise<ToolAnswer> {
  const tool = TOOLS.find((candidate) => candidate.name === name);
  if (tool === undefined) throw new TypeError(`there is no tool ${name}`);
  return tool.call(args, context);
}

function sha256Of(structured: unknown): { sha256: string } {
  return z.object({ sha256: z.string().length(64) }).parse(structured);
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
  expect(await call("files_read", { path: "/f" }, context)).toMatchObject({ structured: { content: "a" } });
});

test("compare and swap: what a read, a write, an edit and info say as sha256 is what if_match takes", async () => {
  const context = toolContext();
  const { structured: first } = await call(
    "files_write",
    { path: "/f", content: "one", if_absent: true },
    context,
  );
  const again = call("files_write", { path: "/f", content: "x", if_absent: true }, context);
  await expect(again).rejects.toMatchObject({ code: "AlreadyExists" });
  const read = await call("files_read", { path: "/f" }, context);
  expect(read.structured).toMatchObject(sha256Of(first));
  expect(read.text.at(-1)).toContain(sha256Of(read.structured).sha256);
  expect((await call("files_info", { path: "/f", hash: true }, context)).structured).toMatchObject(
    sha256Of(first),
  );
  const swap = { path: "/f", old: "one", new: "two", if_match: sha256Of(first).sha256 };
  const edited = await call("files_edit", swap, context);
  expect(edited.structured).toMatchObject({ replacements: 1, size: 3 });
  await expect(call("files_edit", swap, context)).rejects.toMatchObject({ code: "FileChanged" });
  const third = { path: "/f", content: "three", if_match: sha256Of(edited.structured).sha256 };
  await call("files_write", third, context);
  await expect(call("files_write", third, context)).rejects.toMatchObject({ code: "FileChanged" });
  const added = await call("files_write", { path: "/f", content: "!", append: true }, context);
  expect(added).toMatchObject({ structured: { size: 6 }, text: ["appended 1 bytes to /f"] });
});

test("only a file that was read whole comes with its hash", async () => {
  const context = toolContext();
  await call("files_write", { path: "/f", content: "one\ntwo\n" }, context);
  for (const part of [{ length: 3 }, { offset: 4 }, { start_line: 2 }, { line_count: 1 }]) {
    expect((await call("files_read", { path: "/f", ...part }, context)).structured).not.toHaveProperty(
      "sha256",
    );
  }
  expect((await call("files_read", { path: "/f", start_line: 1 }, context)).structured).toHaveProperty(
    "sha256",
  );
});

test("a search gives lines with what is around them, the same in both channels, and says what it passed over", async () => {
  const context = toolContext();
  await call("files_write", { path: "/d/a", content: "one\ntwo\nthree\nfour\nfive" }, context);
  await call("files_write", { path: "/d/b", content: "AAE=", encoding: "base64" }, context);
  const answer = await call("files_search", { path: "/d", content: "^t|our", context_lines: 1 }, context);
  expect(answer.structured).toEqual({
    files: [
      {
        path: "/d/a",
        matches: [
          { line: 2, text: "two", before: ["one"], after: ["three"] },
          { line: 3, text: "three", before: ["two"], after: ["four"] },
          { line: 4, text: "four", before: ["three"], after: ["five"] },
        ],
      },
    ],
    results: 3,
    cut: null,
    binaryFiles: 1,
    passedOver: [],
    morePassedOver: 0,
  });
  expect(answer.text.map(withoutMarks)).toEqual([
    "/d/a\n1- one\n2: two\n3: three\n4: four\n5- five",
    "[binary files passed over: 1]",
  ]);
});

test("a search says what it cut: at its limit, at what a model can take, and of a long line", async () => {
  const context = toolContext();
  const lines = Array.from({ length: 900 }, (_, index) => `line ${String(index).padStart(90)}`);
  await call("files_write", { path: "/d/many", content: lines.join("\n") }, context);
  const few = await call("files_search", { path: "/d", content: "line", limit: 5 }, context);
  expect(few.structured).toMatchObject({ results: 5, cut: expect.stringContaining("limit") });
  expect(few.text.at(-1)).toContain("first 5 results");
  const full = await call("files_search", { path: "/d", content: "line", limit: 1000 }, context);
  expect(full.structured).toMatchObject({ cut: expect.stringContaining("fit") });
  expect(full.text.join("").length).toBeLessThan(MAX_SEARCH_CHARS * 1.2);
  await call(
    "files_write",
    { path: "/long", content: `${"x".repeat(900)}needle${"y".repeat(900)}` },
    context,
  );
  const long = await call("files_search", { path: "/long", content: "needle" }, context);
  expect(withoutMarks(long.text[0] ?? "")).toMatch(/^\/long\n1: …x+needley+…$/);
  expect(long.text[0]?.length).toBeLessThan(MAX_SEARCH_LINE_CHARS + 60);
});

test("a search that lasts too long gives what it has found, rather than nothing", async () => {
  const context = { ...toolContext(), timings: { waitMs: 50, progressIntervalMs: 1_000 } };
  await call("files_write", { path: "/d/a", content: "endless" }, context);
  const answer = await call("files_search", { path: "/d", content: "endless" }, context);
  expect(answer.structured).toMatchObject({ results: 1, cut: expect.stringContaining("time was up") });
});

test("what is no regular expression is refused with what to do", async () => {
  await expect(call("files_search", { path: "/d", content: "call(" })).rejects.toMatchObject({
    code: "InvalidArgument",
    next: expect.stringContaining("backslash"),
  });
});

test("a listing of a tree gives paths below it, and says when there is more", async () => {
  const context = toolContext();
  for (const name of ["b/c", "a", "b/a"])
    await call("files_write", { path: `/d/${name}`, content: "" }, context);
  const names = (answer: ToolAnswer) =>
    withoutMarks(answer.text[0] ?? "")
      .split("\n")
      .map((line) => line.split(" ").at(-1));
  expect(names(await call("files_list", { path: "/d", depth: 5 }, context))).toEqual(["a", "b/a", "b/c"]);
  const cut = await call("files_list", { path: "/d", name: ["*"], page_size: 2 }, context);
  expect(cut.structured).toMatchObject({ nextPage: null, cut: expect.stringContaining("first 2 entries") });
  await expect(call("files_list", { path: "/d", depth: 2, page: "1" }, context)).rejects.toMatchObject({
    code: "InvalidArgument",
  });
});
