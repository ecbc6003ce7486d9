import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { pathText } from "@cmdop/proto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { argv, run, shell, WAYS } from "../test-support.ts";

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(path.join(os.tmpdir(), "cmdop-bytes-"));
  const inside = Buffer.concat([Buffer.from(`${directory}/`), Buffer.from("d\xe9", "latin1")]);
  await mkdir(inside);
  await writeFile(Buffer.concat([inside, Buffer.from("/f\xff", "latin1")]), "found\n");
});
afterAll(() => rm(directory, { recursive: true }));

describe.each(WAYS)("bytes that are not UTF-8, of a command that is started %s", (_, ready) => {
  test("are in its directory", async () => {
    const jobs = await ready();
    const cwd = `${directory}/d\\xE9`;
    const { stdout } = await run(jobs, shell("cat f*; /bin/pwd", { cwd }));
    expect(stdout.toString("latin1")).toBe(`found\n${directory}/d\xe9\n`);
  });

  test("are in its arguments, all others as they are", async () => {
    const jobs = await ready();
    const words = [
      "a b",
      "",
      "\\",
      "\\0101\\c",
      "it's",
      "$HOME *",
      "é\n",
      "line\n\n",
      "\xe9\xff\\\n",
      "-n",
      ".",
    ];
    const args = words.map((word) => pathText(Buffer.from(word, "latin1")));
    const { stdout } = await run(jobs, argv(["/usr/bin/printf", "%s\\0", ...args], { escaped: true }));
    expect(stdout.toString("latin1")).toBe(words.map((word) => `${word}\0`).join(""));
  });

  test("are in its line", async () => {
    const jobs = await ready();
    const line = pathText(Buffer.from(`cat '${directory}/d\xe9/f\xff'; echo '\\xE9'`, "latin1"));
    const { stdout } = await run(jobs, shell(line, { escaped: true }));
    expect(stdout.toString("latin1")).toBe("found\n\\xE9\n");
  });

  test("that name nothing are told of", async () => {
    const jobs = await ready();
    const { outcome } = await run(jobs, argv(["/nowhere/\\xE9"], { escaped: true }));
    expect(outcome).toMatchObject({ kind: "failed_to_start" });
    expect(JSON.stringify(outcome)).toContain("/nowhere/\\\\xE9");
  });
});
