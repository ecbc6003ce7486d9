import { execFileSync } from "node:child_process";
import { appendFile, mkdir, symlink, truncate, writeFile } from "node:fs/promises";
import path from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MAX_SEARCHES_AT_ONCE } from "../place/limits.ts";
import {
  collected,
  makeScratch,
  NEVER,
  refusal,
  refusalCode,
  type Scratch,
  STATE_SECRET,
} from "../place/test-support.ts";
import { type LineMatch, LineMatcher } from "./line-matcher.ts";
import { type SearchOptions, search } from "./search.ts";
import { MAX_LINE_BYTES } from "./thread-limits.ts";

const ALL: SearchOptions = {
  maxDepth: 0,
  names: [],
  exclude: [],
  includeHidden: true,
  flags: "",
  contextLines: 0,
  maxResults: 0,
  maxFileBytes: 0n,
};

function searched(scratch: Scratch, where: string, options: Partial<SearchOptions>, signal = NEVER) {
  return collected(search(scratch.boundary(), where, { ...ALL, ...options }, signal));
}

/** What a search found, as grep shows it. */
async function grep(scratch: Scratch, where: string, options: Partial<SearchOptions>): Promise<string[]> {
  const events = await searched(scratch, where, options);
  const shown = events.map((event) => {
    if (event.kind === "match") {
      return `${path.relative(scratch.dir, event.path)}:${event.match.line}:${event.match.text}`;
    }
    if (event.kind === "skipped")
      return `${path.relative(scratch.dir, event.skipped.path)} ${event.skipped.reason}`;
    if (event.kind === "entry") return path.relative(scratch.dir, event.entry.path);
    return `${event.files} files, ${event.results} results${event.limited ? ", limited" : ""}`;
  });
  return shown.sort();
}

describe("search", () => {
  it("finds lines by a regular expression, in files whose names match", async () => {
    await using scratch = await makeScratch();
    await scratch.file("d/a.ts", "const a = 1;\r\nlet b = 22;\n");
    await scratch.file("d/x/b.ts", "b = 333");
    await scratch.file("d/c.txt", "c = 4444");
    await symlink("a.ts", scratch.at("d/link.ts"));
    const d = scratch.at("d");
    expect(await grep(scratch, d, { content: "\\d{2,};?$", names: ["*.ts"] })).toEqual([
      "2 files, 2 results",
      "d/a.ts:2:let b = 22;",
      "d/x/b.ts:1:b = 333",
    ]);
    expect(await grep(scratch, d, { content: "^LET|^C", flags: "i" })).toEqual([
      "3 files, 3 results",
      "d/a.ts:1:const a = 1;",
      "d/a.ts:2:let b = 22;",
      "d/c.txt:1:c = 4444",
    ]);
    expect(await grep(scratch, scratch.at("d/a.ts"), { content: "b" })).toEqual([
      "1 files, 1 results",
      "d/a.ts:2:let b = 22;",
    ]);
    expect(await grep(scratch, d, { names: ["*.ts"] })).toEqual([
      "0 files, 3 results",
      "d/a.ts",
      "d/link.ts",
      "d/x/b.ts",
    ]);
  });

  it("ends at its limit and says so; never shows a number that it did not reach", async () => {
    await using scratch = await makeScratch();
    await scratch.file("d/f", "x\n".repeat(300));
    const last = async (maxResults: number) =>
      (await searched(scratch, scratch.at("d"), { content: "x", maxResults })).at(-1);
    expect(await last(299)).toMatchObject({ results: 299n, limited: true });
    expect(await last(300)).toMatchObject({ results: 300n, limited: false });
  });

  it("tells of what it did not look into, and hangs on nothing", async () => {
    await using scratch = await makeScratch();
    const { home } = scratch;
    await scratch.file("home/text", "needle");
    await writeFile(path.join(home, "binary"), Buffer.from("needle\0needle"));
    await truncate(await scratch.file("home/sparse", "needle"), 10_000_000_000);
    await scratch.file("home/long", `${"x".repeat(MAX_LINE_BYTES)}needle\nneedle after`);
    execFileSync("mkfifo", [scratch.at("home/fifo")]);
    await symlink("/dev/zero", scratch.at("home/zero"));
    expect(await grep(scratch, home, { content: "needle" })).toEqual([
      "3 files, 2 results",
      "home/.cmdop unreadable",
      "home/binary binary",
      "home/long long_line",
      "home/long:2:needle after",
      "home/sparse too_large",
      "home/text:1:needle",
    ]);
    const state = await searched(scratch, home, { content: STATE_SECRET.slice(0, 8) });
    expect(state.filter(({ kind }) => kind === "match")).toEqual([]);
    expect(await refusalCode(searched(scratch, scratch.stateDir, { content: "a" }))).toBe("PolicyDenied");
    expect(await refusalCode(searched(scratch, scratch.at("home/fifo"), { content: "a" }))).toBe("NotAFile");
  });

  it("an expression that would take for ever ends the search, and leaves the agent free meanwhile", async () => {
    await using scratch = await makeScratch();
    await scratch.file("d/f", `${"a".repeat(40)}!`);
    let ticks = 0;
    const ticking = setInterval(() => {
      ticks += 1;
    }, 50);
    try {
      const error = await refusal(searched(scratch, scratch.at("d"), { content: "^(a+)+$" }));
      expect([error.code, error.message]).toEqual([
        "LimitExceeded",
        expect.stringContaining("took more than"),
      ]);
    } finally {
      clearInterval(ticking);
    }
    expect(ticks).toBeGreaterThan(10);
  });

  it("ends its thread at once when its caller leaves in the middle of one", async () => {
    await using scratch = await makeScratch();
    await scratch.file("d/f", `${"a".repeat(40)}!`);
    const stop = new AbortController();
    const canceled = searched(scratch, scratch.at("d"), { content: "^(a+)+$" }, stop.signal);
    setTimeout(() => stop.abort(), 300);
    expect(await refusalCode(canceled)).toBe("Canceled");
  });

  it("only so many of one key at once, whoever reads them; other keys go on, and it is told", async () => {
    await using scratch = await makeScratch();
    await scratch.file("d/f", "x");
    const begin = (key: string) =>
      search({ ...scratch.boundary(), key }, scratch.at("d"), { ...ALL, content: "x" }, NEVER);
    const unread = Array.from({ length: MAX_SEARCHES_AT_ONCE + 1 }, () => begin("greedy"));
    const results = await Promise.allSettled(unread.map((each) => each.next()));
    const refused = results.filter(({ status }) => status === "rejected");
    // Its share is half, as long as nobody else searches.
    expect(refused).toHaveLength(MAX_SEARCHES_AT_ONCE + 1 - MAX_SEARCHES_AT_ONCE / 2);
    expect(refused[0]).toMatchObject({ reason: { code: "LimitExceeded" } });
    expect((await collected(begin("other"))).at(-1)).toMatchObject({ kind: "ended", results: 1n });
    for (const each of unread) await each.return(undefined);
    expect((await collected(begin("greedy"))).at(-1)).toMatchObject({ kind: "ended", results: 1n });
  });

  it.each<[string, Partial<SearchOptions>]>([
    ["neither name nor content", {}],
    ["no regular expression", { content: "(" }],
    ["unknown flags", { content: "a", flags: "g" }],
    ["an endless expression", { content: "a".repeat(5_000) }],
    ["too much context", { content: "a", contextLines: 21 }],
    ["a bad glob", { names: ["["] }],
  ])("refuses %s", async (_, options) => {
    await using scratch = await makeScratch();
    expect(await refusalCode(searched(scratch, scratch.dir, options))).toBe("InvalidArgument");
  });

  it("does not follow a file that grows while it is read", async () => {
    await using scratch = await makeScratch();
    await mkdir(scratch.at("d"));
    await writeFile(scratch.at("d/log"), "line\n".repeat(1_000));
    const events = search(
      scratch.boundary(),
      scratch.at("d"),
      { ...ALL, content: "line", maxResults: 50_000 },
      NEVER,
    );
    let results = 0;
    for await (const { kind } of events) {
      if (kind !== "match") continue;
      results += 1;
      await appendFile(scratch.at("d/log"), "line\n");
    }
    expect(results).toBe(1_000);
  });
});

describe("lines in pieces", () => {
  /** What a whole text gives, line by line. */
  function expected(text: string, pattern: RegExp, context: number): LineMatch[] {
    const lines = text.split("\n");
    if (lines.at(-1) === "") lines.pop();
    return lines.flatMap((line, index) => {
      const found = pattern.exec(line);
      if (found === null) return [];
      const before = lines.slice(Math.max(0, index - context), index);
      const after = lines.slice(index + 1, index + 1 + context);
      return [
        {
          line: index + 1,
          column: found.index,
          length: found[0].length,
          text: line,
          textStart: 0,
          before,
          after,
        },
      ];
    });
  }

  it("come out the same however the text is cut", () => {
    const text = fc.string({ unit: fc.constantFrom("a", "b", "é", "🎉", "\n"), maxLength: 60 });
    fc.assert(
      fc.property(text, fc.array(fc.nat(80)), fc.nat(3), (whole, cuts, context) => {
        const matcher = new LineMatcher(/ab|🎉/, context);
        const bytes = Buffer.from(whole);
        const ends = [...cuts.filter((cut) => cut < bytes.length).sort((a, b) => a - b), bytes.length];
        const found = ends.flatMap((end, index) => [
          ...matcher.feed(bytes.subarray(ends[index - 1] ?? 0, end), index === ends.length - 1),
        ]);
        expect(found).toEqual(expected(whole, /ab|🎉/, context));
      }),
      { numRuns: 500 },
    );
  });

  it("of a long line the part with the match is shown", () => {
    const matcher = new LineMatcher(/needle/, 0);
    const line = `${"x".repeat(5_000)}needle${"y".repeat(5_000)}`;
    const [match] = [...matcher.feed(Buffer.from(line), true)];
    expect(match?.text).toHaveLength(1_024);
    expect(match?.text.indexOf("needle")).toBe(5_000 - (match?.textStart ?? 0));
    expect(match).toMatchObject({ column: 5_000, length: 6 });
  });
});

describe("texts as people have them", () => {
  it.each([
    [
      "a byte that is no UTF-8",
      Buffer.from(`${"a line of the log\n".repeat(800)}caf\xe9 is here\n`, "latin1"),
      "caf.* here",
      801,
      "caf\\xE9 is here",
    ],
    [
      "Windows-1252",
      Buffer.from("eins\nGr\xfc\xdfe aus M\xfcnchen\nKl\xf6\xdfe\n", "latin1"),
      "^Grüße",
      2,
      "Grüße aus München",
    ],
    ["UTF-16 with a mark", Buffer.from("\ufeffone\r\ntwo näh\r\n", "utf16le"), "näh$", 2, "two näh"],
    [
      "UTF-16 without one",
      Buffer.from("one line\r\ntwo of them\r\n", "utf16le").swap16(),
      "^two of",
      2,
      "two of them",
    ],
    [
      "some NULs from a crash",
      Buffer.from(`${"before it\n".repeat(300)}\0\0\0after it\n`),
      "after",
      301,
      "\\x00\\x00\\x00after it",
    ],
  ])("finds lines in %s", async (_, bytes, content, line, text) => {
    await using scratch = await makeScratch();
    await scratch.file("d/f", "");
    await writeFile(scratch.at("d/f"), bytes);
    const options = { ...ALL, content };
    const events = await collected(search(scratch.boundary(), scratch.at("d"), options, NEVER));
    expect(events).toMatchObject([{ kind: "match", match: { line, text } }, { kind: "ended" }]);
  });
});
