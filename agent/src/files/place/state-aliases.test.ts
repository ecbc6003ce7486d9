import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFile, link, mkdir, open, writeFile } from "node:fs/promises";
import path from "node:path";
import { expect, it } from "vitest";
import { info } from "../read/info.ts";
import { readContent, streamContent } from "../read/read.ts";
import { search } from "../search/search.ts";
import { copy } from "../tree/copy.ts";
import { list } from "../tree/list.ts";
import { makeDirectory } from "../tree/mkdir.ts";
import { move } from "../tree/move.ts";
import { remove } from "../tree/remove.ts";
import { walk } from "../tree/walk.ts";
import { appendContent } from "../write/append.ts";
import { edit } from "../write/edit.ts";
import { writeContent } from "../write/write.ts";
import type { Boundary } from "./boundary.ts";
import {
  collected,
  makeScratch,
  mounted,
  mountedFile,
  NEVER,
  refusal,
  refusalCode,
  type Scratch,
  STATE_SECRET,
  snapshot,
} from "./test-support.ts";

/** What could bring content out of a file, or into it. */
const ON_FILES: Readonly<
  Record<string, (boundary: Boundary, file: string, free: string) => Promise<unknown>>
> = {
  read: (boundary, file) => readContent(boundary, file, { offset: 0n }),
  stream: (boundary, file) => collected(streamContent(boundary, file, { offset: 0n }, NEVER)),
  hash: (boundary, file) => info(boundary, file, { hash: true }),
  append: (boundary, file) => appendContent(boundary, file, Buffer.from("x"), { parents: false }),
  edit: (boundary, file) =>
    edit(boundary, file, { old: Buffer.from("key"), new: Buffer.from("x"), all: false }, NEVER),
  "compare and write": (boundary, file) =>
    writeContent(boundary, file, Buffer.from("x"), { parents: false, ifMatch: new Uint8Array(32) }),
  search: (boundary, file) =>
    collected(
      search(
        boundary,
        file,
        {
          maxDepth: 0,
          names: [],
          exclude: [],
          includeHidden: true,
          content: "key",
          flags: "",
          contextLines: 0,
          maxResults: 0,
          maxFileBytes: 0n,
        },
        NEVER,
      ),
    ),
  copy: (boundary, file, free) => copy(boundary, file, free, { recursive: true, overwrite: true }, NEVER),
};

/** What could be done with a directory, or in it. */
const ON_DIRECTORIES: typeof ON_FILES = {
  list: (boundary, directory) => list(boundary, directory, { pageSize: 0, page: "", includeHidden: true }),
  walk: (boundary, directory) =>
    collected(walk(boundary, directory, { maxDepth: 0, names: [], exclude: [], includeHidden: true }, NEVER)),
  "write into": (boundary, directory) =>
    writeContent(boundary, path.join(directory, "new"), Buffer.from("x"), { parents: true }),
  "make a directory in": (boundary, directory) =>
    makeDirectory(boundary, path.join(directory, "a/b"), { parents: true }),
  "move into": async (boundary, directory, free) => {
    await writeFile(free, "x");
    return move(boundary, free, path.join(directory, "moved"), { overwrite: true }, NEVER);
  },
  "copy a tree with": (boundary, directory, free) =>
    copy(boundary, path.dirname(directory), free, { recursive: true, overwrite: true }, NEVER),
  "delete from": (boundary, directory) =>
    remove(boundary, path.join(directory, "machine.key"), { recursive: true }, NEVER),
};

/** Another name of the state, or of a part of it: how it is made, and what it then leads to. */
interface Alias {
  readonly made: (scratch: Scratch) => Promise<AsyncDisposable | undefined>;
  readonly file?: string;
  readonly directory?: string;
}

const ALIASES: Readonly<Record<string, Alias>> = {
  "a bind mount of the directory": {
    made: (scratch) => mounted(scratch.at("tree/alias"), ["--bind", scratch.stateDir]),
    file: "tree/alias/machine.key",
    directory: "tree/alias",
  },
  "a bind mount of its parent": {
    made: (scratch) => mounted(scratch.at("tree/alias"), ["--bind", scratch.home]),
    file: "tree/alias/.cmdop/machine.key",
    directory: "tree/alias/.cmdop",
  },
  "a bind mount of a directory in it": {
    made: (scratch) => mounted(scratch.at("tree/alias"), ["--bind", path.join(scratch.stateDir, "agent")]),
    file: "tree/alias/machine.key",
    directory: "tree/alias",
  },
  "a bind mount of a bind mount": {
    async made(scratch) {
      await using stack = new AsyncDisposableStack();
      stack.use(await mounted(scratch.at("first"), ["--bind", scratch.stateDir]));
      stack.use(await mounted(scratch.at("tree/alias"), ["--bind", scratch.at("first/agent")]));
      return stack.move();
    },
    file: "tree/alias/machine.key",
    directory: "tree/alias",
  },
  "an overlay of the directory": {
    made: (scratch) => overlay(scratch, scratch.stateDir),
    file: "tree/alias/machine.key",
    directory: "tree/alias",
  },
  "an overlay of its parent, below others": {
    made: (scratch) => overlay(scratch, `${scratch.at("upper")}:${scratch.home}`),
    file: "tree/alias/.cmdop/machine.key",
    directory: "tree/alias/.cmdop",
  },
  "a bind mount of a file in it": {
    async made(scratch) {
      const alias = await scratch.file("tree/alias", "nothing");
      return mountedFile(alias, path.join(scratch.stateDir, "agent/machine.key"));
    },
    file: "tree/alias",
  },
  "a hard link to a file in it": {
    async made(scratch) {
      await mkdir(scratch.at("tree"));
      await link(path.join(scratch.stateDir, "agent/machine.key"), scratch.at("tree/alias"));
      return undefined;
    },
    file: "tree/alias",
  },
};

/** A filesystem that shows directories as they are, as one. */
async function overlay(scratch: Scratch, lower: string): Promise<AsyncDisposable> {
  for (const name of ["upper", "writes", "work"]) await mkdir(scratch.at(name));
  const options = `lowerdir=${lower},upperdir=${scratch.at("writes")},workdir=${scratch.at("work")}`;
  return mounted(scratch.at("tree/alias"), ["-t", "overlay", "-o", options, "overlay"]);
}

async function makeState(scratch: Scratch): Promise<void> {
  await mkdir(path.join(scratch.stateDir, "agent"));
  await writeFile(path.join(scratch.stateDir, "agent/machine.key"), STATE_SECRET);
}

it.each(Object.entries(ALIASES))("the state is refused by way of %s", async (_, alias) => {
  await using scratch = await makeScratch();
  await makeState(scratch);
  await using _made = await alias.made(scratch);
  const boundary = scratch.boundary();
  const before = await snapshot(scratch.stateDir);
  const free = (name: string): string => scratch.at(`free-${name.replaceAll(" ", "-")}`);
  const attacks = [
    ...Object.entries(alias.file === undefined ? {} : ON_FILES).map((each) => [...each, alias.file] as const),
    ...Object.entries(alias.directory === undefined ? {} : ON_DIRECTORIES).map(
      (each) => [...each, alias.directory] as const,
    ),
  ];
  for (const confined of [boundary, scratch.boundary([scratch.dir])]) {
    for (const [name, attack, at = ""] of attacks) {
      expect(await refusalCode(attack(confined, scratch.at(at), free(name))), name).toBe("PolicyDenied");
    }
  }
  expect(await snapshot(scratch.stateDir)).toEqual(before);
  expect(JSON.stringify(await outOf(boundary, scratch.at("tree")))).not.toContain(STATE_SECRET);
});

/** All that a search of a tree tells of the state's content. */
async function outOf(boundary: Boundary, tree: string): Promise<unknown[]> {
  const options = { maxDepth: 0, names: [], exclude: [], includeHidden: true, flags: "", contextLines: 0 };
  const events = await collected(
    search(boundary, tree, { ...options, content: "key", maxResults: 0, maxFileBytes: 0n }, NEVER),
  );
  return events.filter(({ kind }) => kind === "match");
}

it("a file that merely has a second name is read and added to", async () => {
  await using scratch = await makeScratch();
  await link(await scratch.file("a", "content"), scratch.at("b"));
  const boundary = scratch.boundary();
  expect(Buffer.from((await readContent(boundary, scratch.at("b"), { offset: 0n })).content).toString()).toBe(
    "content",
  );
  await appendContent(boundary, scratch.at("b"), Buffer.from("!"), { parents: false });
  expect(await snapshot(scratch.dir)).toMatchObject({ a: "content!", b: "content!" });
});

it("what is mounted elsewhere and is no state is worked with as ever", async () => {
  await using scratch = await makeScratch();
  await scratch.file("data/f", "content");
  await using _ = await mounted(scratch.at("alias"), ["--bind", scratch.at("data")]);
  const boundary = scratch.boundary();
  await writeContent(boundary, scratch.at("alias/new"), Buffer.from("x"), { parents: false });
  await appendFile(scratch.at("alias/new"), "y");
  const { entries } = await list(boundary, scratch.at("alias"), {
    pageSize: 0,
    page: "",
    includeHidden: true,
  });
  expect(entries.map(({ name }) => name)).toEqual(["f", "new"]);
});

/** A process that lives until the test is over, in a mount namespace of its own; says when it is ready. */
async function inOwnNamespace(script: string, names: readonly string[]): Promise<ChildProcess> {
  const child = spawn(
    "unshare",
    ["-m", "/bin/sh", "-ec", `${script}\necho ready\nexec cat`, "sh", ...names],
    {
      stdio: ["pipe", "pipe", "inherit"],
    },
  );
  await once(child.stdout ?? child, "data");
  return child;
}

it("nothing is reached through another process: its root, its working directory, its descriptors", async () => {
  await using scratch = await makeScratch();
  await makeState(scratch);
  await mkdir(scratch.at("mnt"));
  const script = 'mount --bind "$1" "$2"; cd "$2"; exec 7<"$1/machine.key" 8<"$1"';
  const other = await inOwnNamespace(script, [scratch.stateDir, scratch.at("mnt")]);
  await using _ = {
    async [Symbol.asyncDispose]() {
      other.kill("SIGKILL");
      await once(other, "close");
    },
  };
  await using own = await open(path.join(scratch.stateDir, "machine.key"));
  const boundary = scratch.boundary();
  const proc = `/proc/${other.pid}`;
  const names = [
    `${proc}/root${scratch.at("mnt")}/machine.key`,
    `${proc}/root${scratch.stateDir}/machine.key`,
    `${proc}/task/${other.pid}/root${scratch.at("mnt")}/machine.key`,
    `${proc}/cwd/machine.key`,
    `${proc}/fd/7`,
    `${proc}/fd/8/machine.key`,
    `/proc/self/fd/${own.fd}`,
    `/proc/thread-self/fd/${own.fd}`,
    `/dev/fd/${own.fd}`,
  ];
  for (const name of names) {
    for (const [what, attack] of Object.entries(ON_FILES)) {
      if (what === "copy" || what === "hash") continue;
      const error = await refusal(attack(boundary, name, scratch.at("free")));
      expect([error.code, name, what]).toEqual(["PolicyDenied", name, what]);
    }
  }
  const written = writeContent(boundary, `${proc}/cwd/policy.json`, Buffer.from("{}"), { parents: false });
  expect(await refusalCode(written)).toBe("PolicyDenied");
  // A copy takes a link as a link: what it says is no content.
  expect(await snapshot(scratch.stateDir)).toMatchObject({ "machine.key": STATE_SECRET });
});

it("a magic link is not followed even where it leads nowhere special", async () => {
  await using scratch = await makeScratch();
  const boundary = scratch.boundary();
  await scratch.file("f", "content");
  for (const root of [
    `/proc/${process.ppid}/root`,
    "/proc/self/root",
    "/proc/thread-self/cwd",
    "/proc/1/root",
  ]) {
    const error = await refusal(readContent(boundary, `${root}${scratch.at("f")}`, { offset: 0n }));
    expect([error.code, error.message]).toEqual(["PolicyDenied", expect.stringContaining("another process")]);
  }
});
