import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, open, readdir, symlink } from "node:fs/promises";
import path from "node:path";
import { CmdopError } from "@cmdop/proto";
import { expect, it } from "vitest";
import { info } from "../read/info.ts";
import { readContent } from "../read/read.ts";
import { search } from "../search/search.ts";
import { copy } from "../tree/copy.ts";
import { list } from "../tree/list.ts";
import { makeDirectory } from "../tree/mkdir.ts";
import { remove } from "../tree/remove.ts";
import { walk } from "../tree/walk.ts";
import { appendContent } from "../write/append.ts";
import { edit } from "../write/edit.ts";
import { writeContent } from "../write/write.ts";
import type { Boundary } from "./boundary.ts";
import { landmark } from "./landmark.ts";
import {
  collected,
  makeScratch,
  mounted,
  NEVER,
  refusalCode,
  STATE_SECRET,
  snapshot,
  whyNoMount,
} from "./test-support.ts";

const TREE = { maxDepth: 0, names: ["*"], exclude: [], includeHidden: true };
const SEARCH = { flags: "", contextLines: 0, maxResults: 0, maxFileBytes: 0n };

const OPERATIONS: Readonly<Record<string, (boundary: Boundary, path: string) => Promise<unknown>>> = {
  info,
  list: (boundary, file) => list(boundary, file, { pageSize: 0, page: "", includeHidden: true }),
  read: (boundary, file) => readContent(boundary, file, { offset: 0n }),
  write: (boundary, file) => writeContent(boundary, file, Buffer.from("x"), { parents: true }),
  mkdir: (boundary, file) => makeDirectory(boundary, file, { parents: true }),
  delete: (boundary, file) => remove(boundary, file, { recursive: true }, NEVER),
  append: (boundary, file) => appendContent(boundary, file, Buffer.from("x"), { parents: true }),
  edit: (boundary, file) =>
    edit(boundary, file, { old: Buffer.from("key"), new: Buffer.from("x"), all: false }, NEVER),
  walk: (boundary, file) => collected(walk(boundary, file, TREE, NEVER)),
  search: (boundary, file) => collected(search(boundary, file, { ...TREE, ...SEARCH }, NEVER)),
};

it.each(Object.entries(OPERATIONS))(
  "nobody can %s anything in the agent's state, however it is named",
  async (_, operation) => {
    await using scratch = await makeScratch();
    await symlink(scratch.stateDir, scratch.at("link"));
    await symlink(scratch.home, scratch.at("home-link"));
    const held = await open(path.join(scratch.stateDir, "machine.key"));
    try {
      const before = await snapshot(scratch.home);
      const names = [
        "~/.cmdop",
        "~/.cmdop/machine.key",
        "~/.cmdop/not-there",
        "~/x/../.cmdop/machine.key",
        scratch.at("link/machine.key"),
        scratch.at("home-link/.cmdop"),
        scratch.at("home-link/.cmdop/machine.key"),
        `/proc/self/root${scratch.stateDir}/machine.key`,
        `/proc/${process.ppid}/root${scratch.stateDir}/machine.key`,
      ];
      for (const name of names) {
        const code = await refusalCode(operation(scratch.boundary(), name));
        expect(code, name).toBe("PolicyDenied");
      }
      for (const roots of [[scratch.dir], ["/"], [scratch.stateDir]]) {
        const confined = scratch.boundary(roots);
        expect(await refusalCode(operation(confined, scratch.stateDir))).toBe("PolicyDenied");
        expect(await refusalCode(operation(confined, `${scratch.stateDir}/machine.key`))).toBe(
          "PolicyDenied",
        );
      }
      expect(await snapshot(scratch.home)).toEqual(before);
    } finally {
      await held.close();
    }
  },
);

it("nothing new is made in the state through a link to it", async () => {
  await using scratch = await makeScratch();
  await symlink(scratch.stateDir, scratch.at("link"));
  for (const name of ["write", "mkdir"]) {
    for (const file of ["link/new", "link/new/new"]) {
      const made = Promise.resolve(OPERATIONS[name]?.(scratch.boundary(), scratch.at(file)));
      expect(await refusalCode(made)).toBe("PolicyDenied");
    }
  }
  expect(await snapshot(scratch.stateDir)).toEqual({ "machine.key": STATE_SECRET });
});

it("a link to the state can be seen and removed like any link, and names in its directory listed", async () => {
  await using scratch = await makeScratch();
  const boundary = scratch.boundary();
  await symlink(scratch.stateDir, scratch.at("link"));
  expect((await info(boundary, scratch.at("link"))).type).toBe("symlink");
  await remove(boundary, scratch.at("link"), { recursive: true }, NEVER);
  const { entries } = await list(boundary, "~", { pageSize: 0, page: "", includeHidden: true });
  expect(entries.map(({ name }) => name)).toEqual([".cmdop"]);
});

it("the state is refused under another name of its directory too", async ({ skip }) => {
  await using scratch = await makeScratch();
  const why = await whyNoMount(scratch);
  skip(why !== undefined, why);
  await mkdir(scratch.at("tree"));
  await using _ = await mounted(scratch.at("tree/alias"), ["--bind", scratch.stateDir]);
  const boundary = scratch.boundary();
  for (const operation of Object.values(OPERATIONS)) {
    expect(await refusalCode(operation(boundary, scratch.at("tree/alias/machine.key")))).toBe("PolicyDenied");
  }
  const options = { recursive: true, overwrite: false };
  const copied = copy(boundary, scratch.at("tree"), scratch.at("copy"), options, NEVER);
  expect(await refusalCode(copied)).toBe("PolicyDenied");
  expect(Object.keys(await snapshot(scratch.dir)).filter((name) => /^copy|tmp/.test(name))).toEqual([]);
});

it("a state directory that does not exist yet can't be made by a caller", async () => {
  await using scratch = await makeScratch();
  const boundary = { ...scratch.boundary(), state: await landmark(scratch.at("later")) };
  await symlink(scratch.dir, scratch.at("home/link"));
  for (const name of [scratch.at("later"), scratch.at("later/x"), "~/link/later", "~/link/later/x"]) {
    expect(await refusalCode(makeDirectory(boundary, name, { parents: true }))).toBe("PolicyDenied");
  }
});

it("the agent's own process shows nothing through /proc", async () => {
  await using scratch = await makeScratch();
  const threads = await readdir("/proc/self/task");
  expect(threads.length).toBeGreaterThan(1);
  const names = [
    "/proc/self/environ",
    "/proc/thread-self/environ",
    "/dev/fd",
    ...threads.map((thread) => `/proc/${thread}/environ`),
    ...threads.map((thread) => `/proc/self/task/${thread}/mem`),
  ];
  for (const name of names) {
    const read = readContent(scratch.boundary(), name, { offset: 0n });
    expect(await refusalCode(read)).toBe("PolicyDenied");
  }
  const other = await readContent(scratch.boundary(), `/proc/${process.ppid}/comm`, { offset: 0n });
  expect(other.content.length).toBeGreaterThan(0);
});

it("somebody who swaps a directory for a link to the state gets nothing out and nothing in", async () => {
  await using scratch = await makeScratch();
  await scratch.file("d/machine.key", "nothing");
  const program = `
    const fs = require("node:fs");
    const [d, real, link, state] = process.argv.slice(1);
    fs.symlinkSync(state, link);
    console.log("begun");
    for (;;) {
      fs.renameSync(d, real); fs.renameSync(link, d);
      fs.renameSync(d, link); fs.renameSync(real, d);
    }`;
  const names = [scratch.at("d"), scratch.at("real"), scratch.at("link"), scratch.stateDir];
  const attacker = spawn(process.execPath, ["-e", program, ...names], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(attacker.stdout, "data");
  const boundary = scratch.boundary();
  let done = 0;
  let refused = 0;
  try {
    for (let round = 0; round < 3_000 && (done < 60 || refused < 60); round++) {
      try {
        const { content } = await readContent(boundary, scratch.at("d/machine.key"), { offset: 0n });
        expect(Buffer.from(content).toString()).toBe("nothing");
        await writeContent(boundary, scratch.at("d/machine.key"), Buffer.from("nothing"), {
          parents: false,
        });
        done++;
      } catch (thrown) {
        if (!(thrown instanceof CmdopError) || !["PolicyDenied", "NotFound"].includes(thrown.code))
          throw thrown;
        refused++;
      }
    }
  } finally {
    attacker.kill("SIGKILL");
    await once(attacker, "close");
  }
  expect([done > 0, refused > 0]).toEqual([true, true]);
  expect(await snapshot(scratch.stateDir)).toEqual({ "machine.key": STATE_SECRET });
});
