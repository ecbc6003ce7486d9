import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, it } from "vitest";
import { readContent } from "../read/read.ts";
import { search } from "../search/search.ts";
import { copy } from "../tree/copy.ts";
import { list } from "../tree/list.ts";
import { appendContent } from "../write/append.ts";
import type { Boundary } from "./boundary.ts";
import { refuseInsides } from "./procfs.ts";
import { collected, makeScratch, mounted, mountedFile, NEVER, refusalCode } from "./test-support.ts";

const INSIDE = [
  "environ",
  "mem",
  "maps",
  "smaps",
  "auxv",
  "cmdline",
  "stack",
  "syscall",
  "pagemap",
  "fdinfo/0",
];
const HARMLESS = ["status", "stat", "statm", "comm", "limits", "cgroup", "mounts", "net/dev"];

const read = (boundary: Boundary, file: string) => readContent(boundary, file, { offset: 0n });

/** Another process with something in its environment, until the test is over. */
async function neighbour(): Promise<AsyncDisposable & { readonly pid: number }> {
  const child = spawn("/bin/cat", [], { env: { OTHER_JOBS_TOKEN: "very-secret" } });
  await once(child, "spawn");
  return {
    pid: child.pid ?? 0,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await once(child, "close");
    },
  };
}

it("no process shows its environment, its memory or its arguments, by whatever procfs", async () => {
  await using scratch = await makeScratch();
  await using other = await neighbour();
  await using _second = await mounted(scratch.at("p"), ["-t", "proc", "proc"]);
  await using _bound = await mounted(scratch.at("one"), ["--bind", `/proc/${other.pid}`]);
  await using _task = await mounted(scratch.at("task"), ["--bind", `/proc/${other.pid}/task`]);
  await scratch.file("environ", "");
  await using _file = await mountedFile(scratch.at("environ"), `/proc/${other.pid}/environ`);
  const boundary = scratch.boundary();
  const ways = [
    `/proc/${other.pid}`,
    `/proc/${process.pid}`,
    "/proc/self",
    "/proc/thread-self",
    `/proc/${other.pid}/task/${other.pid}`,
    scratch.at(`p/${other.pid}`),
    scratch.at("p/self"),
    scratch.at(`p/${other.pid}/task/${other.pid}`),
    scratch.at("one"),
    scratch.at(`task/${other.pid}`),
  ];
  for (const way of ways) {
    for (const name of INSIDE) {
      expect([`${way}/${name}`, await refusalCode(read(boundary, `${way}/${name}`))]).toEqual([
        `${way}/${name}`,
        "PolicyDenied",
      ]);
    }
  }
  expect(await refusalCode(read(boundary, scratch.at("environ")))).toBe("PolicyDenied");
  const found = await collected(
    search(
      boundary,
      `/proc/${other.pid}`,
      {
        maxDepth: 1,
        names: ["environ"],
        exclude: [],
        includeHidden: true,
        content: "TOKEN",
        flags: "",
        contextLines: 0,
        maxResults: 0,
        maxFileBytes: 0n,
      },
      NEVER,
    ),
  );
  expect(found.filter(({ kind }) => kind === "match")).toEqual([]);
  const copied = copy(
    boundary,
    scratch.at(`p/${other.pid}/environ`),
    scratch.at("copied"),
    { recursive: true, overwrite: true },
    NEVER,
  );
  expect(await refusalCode(copied)).toBe("PolicyDenied");
});

it("what /proc says of the machine, and of processes from outside, is read", async () => {
  await using scratch = await makeScratch();
  await using other = await neighbour();
  const boundary = scratch.boundary();
  const names = ["meminfo", "loadavg", "uptime", "mounts", "net/dev", "sys/kernel/ostype", "self/status"];
  const paths = [
    ...names.map((name) => `/proc/${name}`),
    "/etc/mtab",
    ...HARMLESS.map((name) => `/proc/${other.pid}/${name}`),
  ];
  for (const file of paths) {
    const { content } = await read(boundary, file);
    expect([file, content.length > 0]).toEqual([file, true]);
  }
  const { entries } = await list(boundary, `/proc/${other.pid}`, {
    pageSize: 0,
    page: "",
    includeHidden: true,
  });
  expect(entries.map(({ name }) => name)).toContain("status");
});

it("nothing is written into a process, and the machine's memory is no file", async () => {
  await using scratch = await makeScratch();
  await using other = await neighbour();
  const boundary = scratch.boundary();
  for (const name of ["oom_score_adj", "comm", "mem", "clear_refs"]) {
    const added = appendContent(boundary, `/proc/${other.pid}/${name}`, Buffer.from("0"), { parents: false });
    expect(await refusalCode(added)).toBe("PolicyDenied");
  }
  // Not every kernel has it.
  expect(() => refuseInsides("/kcore", "/proc/kcore", "read")).toThrow(/the machine's memory/);
});
