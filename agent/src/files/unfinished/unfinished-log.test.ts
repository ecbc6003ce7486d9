import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { UnfinishedLog } from "./unfinished-log.ts";

const BEGUN = { directory: "/d", upload: false, atMs: 1 };

let directory: string;
let file: string;
beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), "cmdop-log-"));
  file = path.join(directory, "state", "log");
});
afterEach(() => rm(directory, { recursive: true }));

const names = (log: UnfinishedLog): string[] => [...log.begun.keys()];

it("is read again as it was left, by whoever comes next", () => {
  const first = new UnfinishedLog(file);
  first.begin("a", BEGUN);
  first.begin("b", { ...BEGUN, upload: true });
  first.end("a");
  first.end("never begun");
  const second = new UnfinishedLog(file);
  expect([...second.begun]).toEqual([["b", { ...BEGUN, upload: true }]]);
  second.begin("c", BEGUN);
  expect(names(new UnfinishedLog(file))).toEqual(["b", "c"]);
});

it("makes nothing before there is something to write down", async () => {
  expect(names(new UnfinishedLog(file))).toEqual([]);
  expect(await readdir(directory)).toEqual([]);
});

it("what a crash left of a line hides no other line", async () => {
  const log = new UnfinishedLog(file);
  log.begin("a", BEGUN);
  await appendFile(file, '\n{"name":"torn","beg');
  log.begin("b", BEGUN);
  expect(names(new UnfinishedLog(file))).toEqual(["a", "b"]);
});

it("promise 9: its file stays small, however much was begun", async () => {
  const log = new UnfinishedLog(file);
  log.begin("kept", BEGUN);
  const begun = { ...BEGUN, directory: `/${"long".repeat(250)}` };
  for (let count = 0; count < 5_000; count++) {
    log.begin(`name-${count}`, begun);
    log.end(`name-${count}`);
  }
  expect((await stat(file)).size).toBeLessThan(2 * 1024 * 1024);
  expect(names(new UnfinishedLog(file))).toEqual(["kept"]);
  expect(await readdir(path.dirname(file))).toEqual(["log"]);
  expect(await readFile(file, "utf8")).toContain("kept");
});

it("promise 9: where its file can't be written, nothing stays open or remembered, and it is made good later", async () => {
  await mkdir(file, { recursive: true });
  const log = new UnfinishedLog(path.join(file, "..", "new"));
  await mkdir(path.join(directory, "state", "new"));
  const open = () => readdir("/proc/self/fd").then(({ length }) => length);
  const before = await open();
  for (let count = 0; count < 20; count++) expect(() => log.begin(`name-${count}`, BEGUN)).toThrow("EISDIR");
  expect([names(log), await open()]).toEqual([[], before]);
  await rm(path.join(directory, "state", "new"), { recursive: true });
  log.begin("a", BEGUN);
  expect(names(new UnfinishedLog(path.join(directory, "state", "new")))).toEqual(["a"]);
});

it("leaves its file to the next when it is closed", () => {
  const first = new UnfinishedLog(file);
  first.begin("a", BEGUN);
  first.close();
  const second = new UnfinishedLog(file);
  second.begin("b", BEGUN);
  first.end("a");
  first.begin("c", BEGUN);
  expect(names(new UnfinishedLog(file))).toEqual(["a", "b"]);
});
