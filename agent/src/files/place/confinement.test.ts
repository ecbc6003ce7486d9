import { lstat, mkdir, readFile, realpath, stat, symlink } from "node:fs/promises";
import path from "node:path";
import { CmdopError } from "@cmdop/proto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { info } from "../read/info.ts";
import { readContent, streamContent } from "../read/read.ts";
import { search } from "../search/search.ts";
import { copy } from "../tree/copy.ts";
import { list } from "../tree/list.ts";
import { makeDirectory } from "../tree/mkdir.ts";
import { move } from "../tree/move.ts";
import { remove } from "../tree/remove.ts";
import { makeSymlink } from "../tree/symlink.ts";
import { walk } from "../tree/walk.ts";
import { appendContent } from "../write/append.ts";
import { edit } from "../write/edit.ts";
import { writeContent } from "../write/write.ts";
import type { Boundary } from "./boundary.ts";
import {
  ALL,
  beside,
  COPY,
  EDIT,
  makeRoot,
  PARENTS,
  SEARCH,
  SECRET,
  seed,
  TREE,
  upload,
} from "./confinement-support.ts";
import { landmark } from "./landmark.ts";
import { plainPinning } from "./pin.ts";
import {
  collected,
  makeScratch,
  NEVER,
  refusal,
  refusalCode,
  type Scratch,
  snapshot,
} from "./test-support.ts";

/** Everything that can be done to one path. */
const OPERATIONS: Readonly<Record<string, (boundary: Boundary, path: string) => Promise<unknown>>> = {
  info,
  list: (boundary, file) => list(boundary, file, ALL),
  read: (boundary, file) => readContent(boundary, file, { offset: 0n }),
  write: (boundary, file) => writeContent(boundary, file, Buffer.from("new"), PARENTS),
  mkdir: (boundary, file) => makeDirectory(boundary, file, { parents: true }),
  delete: (boundary, file) => remove(boundary, file, { recursive: true }, NEVER),
  append: (boundary, file) => appendContent(boundary, file, Buffer.from("new"), PARENTS),
  edit: (boundary, file) => edit(boundary, file, EDIT, NEVER),
  walk: (boundary, file) => collected(walk(boundary, file, TREE, NEVER)),
  search: (boundary, file) => collected(search(boundary, file, SEARCH, NEVER)),
  stream: (boundary, file) => collected(streamContent(boundary, file, { offset: 0n }, NEVER)),
  upload: (boundary, file) => upload(boundary, file, "new"),
  symlink: (boundary, file) => makeSymlink(boundary, file, "anywhere", { overwrite: true }),
  "copy from": (boundary, file) => copy(boundary, file, beside(boundary), COPY, NEVER),
  "copy to": async (boundary, file) => copy(boundary, await seed(boundary), file, COPY, NEVER),
  "move from": (boundary, file) => move(boundary, file, beside(boundary), COPY, NEVER),
  "move to": async (boundary, file) => move(boundary, await seed(boundary), file, COPY, NEVER),
};

/** A tree without what the operations themselves have put beside it. */
async function snapshotOfOthers(directory: string): Promise<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(await snapshot(directory)).filter(([name]) => !name.includes("beside-")),
  );
}

describe("a confined caller", () => {
  it("does everything inside of its directory", async () => {
    await using scratch = await makeScratch();
    const { root, boundary } = await makeRoot(scratch);
    await makeDirectory(boundary, `${root}/a/b`, { parents: true });
    await writeContent(boundary, `${root}/a/b/f`, Buffer.from("x"), PARENTS);
    await copy(boundary, `${root}/a`, `${root}/c`, { recursive: true, overwrite: false }, NEVER);
    await move(boundary, `${root}/c/b/f`, `${root}/f`, { overwrite: false }, NEVER);
    expect((await list(boundary, root, ALL)).entries.map(({ name }) => name)).toEqual(["a", "c", "f"]);
    expect((await info(boundary, root)).type).toBe("directory");
    await remove(boundary, `${root}/a`, { recursive: true }, NEVER);
    expect(await snapshot(root)).toEqual({ c: "directory", "c/b": "directory", f: "x" });
  });

  it.each(Object.entries(OPERATIONS))(
    "can't %s outside, by .. or by a link on the way",
    async (_, operation) => {
      await using scratch = await makeScratch();
      const { root, boundary } = await makeRoot(scratch);
      await symlink(scratch.at("outside"), `${root}/link`);
      await symlink("..", `${root}/up`);
      const before = await snapshotOfOthers(scratch.dir);
      for (const file of ["outside", "outside/secret", "root/../outside", "root-not", ""]) {
        expect(await refusalCode(operation(boundary, scratch.at(file)))).toBe("PolicyDenied");
      }
      for (const file of ["link/secret", "link/dir/f", "link/new", "up/outside/secret", "link/dir/new/new"]) {
        const error = await refusal(operation(boundary, `${root}/${file}`));
        expect([error.code, error.message]).toEqual([
          "PolicyDenied",
          expect.stringContaining("symbolic link"),
        ]);
      }
      expect(await snapshotOfOthers(scratch.dir)).toEqual(before);
    },
  );

  it("sees a link at the end as a link, and can't read or write through it", async () => {
    await using scratch = await makeScratch();
    const { root, boundary } = await makeRoot(scratch);
    await symlink(scratch.at("outside/secret"), `${root}/link`);
    await symlink(scratch.at("outside/not-there"), `${root}/dangling`);
    for (const name of ["link", "dangling"]) {
      for (const operation of ["list", "read", "write"]) {
        const error = await refusal(Promise.resolve(OPERATIONS[operation]?.(boundary, `${root}/${name}`)));
        expect([error.code, error.message]).toEqual([
          "PolicyDenied",
          expect.stringContaining("symbolic link"),
        ]);
      }
    }
    expect((await info(boundary, `${root}/link`)).type).toBe("symlink");
    await remove(boundary, `${root}/link`, { recursive: true }, NEVER);
    expect(await readFile(scratch.at("outside/secret"), "utf8")).toBe(SECRET);
  });

  it("can't tell what exists outside", async () => {
    await using scratch = await makeScratch();
    const { root, boundary } = await makeRoot(scratch);
    await symlink(scratch.at("outside"), `${root}/link`);
    for (const base of [scratch.at("outside"), `${root}/link`]) {
      const there = await refusal(info(boundary, `${base}/secret`));
      const notThere = await refusal(info(boundary, `${base}/nothing`));
      expect(notThere.code).toBe(there.code);
      expect(notThere.message.replaceAll("nothing", "secret")).toBe(there.message);
    }
  });

  it("needs a directory in every list, and nothing is in an empty one", async () => {
    await using scratch = await makeScratch();
    const file = await scratch.file("a/b/f");
    const granted = [scratch.at("a"), scratch.at("c")];
    expect(await info(scratch.boundary(granted, [scratch.at("a/b")]), file)).toMatchObject({ type: "file" });
    expect(await refusalCode(info(scratch.boundary(granted, [scratch.at("c")]), file))).toBe("PolicyDenied");
    expect(await refusalCode(info(scratch.boundary(granted, []), file))).toBe("PolicyDenied");
  });

  it("has no luck with a root that lies behind a link", async () => {
    await using scratch = await makeScratch();
    const file = await scratch.file("real/f");
    await symlink("real", scratch.at("link"));
    const error = await refusal(info(scratch.boundary([scratch.at("link")]), scratch.at("link/f")));
    expect([error.code, error.next]).toEqual(["PolicyDenied", expect.stringContaining("real path")]);
    expect((await info(scratch.boundary([scratch.at("real")]), file)).type).toBe("file");
  });

  it("is refused where the system can't confine, while others work", async () => {
    await using scratch = await makeScratch();
    const file = await scratch.file("root/f");
    await symlink("root", scratch.at("link"));
    const state = await landmark(scratch.stateDir, plainPinning);
    const plain = { ...scratch.boundary(), state, pinning: plainPinning };
    const confined = { ...plain, roots: [[scratch.at("root")]] };
    expect(await refusalCode(info(confined, file))).toBe("PolicyDenied");
    await writeContent(plain, scratch.at("link/a/b"), Buffer.from("new"), PARENTS);
    await copy(plain, scratch.at("root"), scratch.at("to"), { recursive: true, overwrite: false }, NEVER);
    await move(plain, scratch.at("to"), scratch.at("moved"), { overwrite: false }, NEVER);
    expect(await snapshot(scratch.at("moved"))).toEqual({ a: "directory", "a/b": "new", f: "root/f" });
    const { content } = await readContent(plain, scratch.at("link/a/b"), { offset: 0n });
    expect(Buffer.from(content).toString()).toBe("new");
    await remove(plain, scratch.at("moved"), { recursive: true }, NEVER);
    await symlink(scratch.stateDir, scratch.at("state"));
    expect(await refusalCode(list(plain, scratch.at("state"), ALL))).toBe("PolicyDenied");
  });
});

describe("in random trees with links and ..", () => {
  const name = fc.constantFrom("a", "b", "c");
  const place = fc.array(name, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("/"));
  const step = fc.constantFrom("a", "b", "c", "..", ".", "out", "link");
  const target = fc.array(step, { minLength: 1, maxLength: 6 }).map((parts) => parts.join("/"));
  const node = fc.oneof(
    place.map((at) => ({ kind: "file" as const, at })),
    place.map((at) => ({ kind: "directory" as const, at })),
    fc.record({ kind: fc.constant<"link">("link"), at: place, target, absolute: fc.boolean() }),
  );
  const act = fc.record({ operation: fc.constantFrom(...Object.keys(OPERATIONS)), target });

  it("nothing outside of the root is ever read, made, changed or deleted", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(node, { maxLength: 12 }),
        fc.array(act, { maxLength: 12 }),
        async (nodes, acts) => {
          await using scratch = await makeScratch();
          const { root, boundary } = await makeRoot(scratch);
          await symlink(scratch.at("outside"), `${root}/out`);
          for (const node of nodes) await plant(scratch, node);
          const outside = await snapshot(scratch.at("outside"));
          for (const { operation, target } of acts) {
            const asked = `${root}/${target}`;
            const real = await realpath(path.posix.normalize(asked)).catch(() => undefined);
            const answer = await OPERATIONS[operation]?.(boundary, asked).catch((thrown: unknown) => {
              if (!(thrown instanceof CmdopError) || thrown.code === "Internal") throw thrown;
            });
            expect(String(Reflect.get(Object(answer), "content") ?? "")).not.toContain(SECRET);
            // What was read or listed lay inside, wherever links led.
            if (answer !== undefined && ["list", "read", "walk", "search"].includes(operation)) {
              expect(shownNames(answer)).not.toContain("only-outside");
              expect(`${real}/`.startsWith(`${root}/`)).toBe(true);
            }
          }
          expect(await snapshot(scratch.at("outside"))).toEqual(outside);
          // Nor was it brought in.
          const inside = Object.entries(await snapshot(scratch.dir)).filter(([name]) =>
            name.startsWith("root"),
          );
          expect(inside.join()).not.toContain(SECRET);
          expect(Object.keys(await snapshot(scratch.dir)).filter((file) => !file.startsWith("root"))).toEqual(
            [
              "home",
              "home/.cmdop",
              "home/.cmdop/machine.key",
              "outside",
              "outside/dir",
              "outside/dir/f",
              "outside/dir/only-outside",
              "outside/secret",
            ],
          );
        },
      ),
      { numRuns: 50 },
    );
  });

  /** The names that a walk or a search came to. */
  function shownNames(answer: unknown): unknown[] {
    const items = Array.isArray(answer) ? answer : [];
    return items.map((item) => Reflect.get(Object(item.entry ?? item), "name"));
  }

  type Node =
    | { kind: "file"; at: string }
    | { kind: "directory"; at: string }
    | { kind: "link"; at: string; target: string; absolute: boolean };

  /** Puts something into the root, unless something else is in its way. */
  async function plant(scratch: Scratch, node: Node): Promise<void> {
    const at = scratch.at("root", node.at);
    const parent = await realpath(path.dirname(at)).catch(() => undefined);
    if (parent === undefined || !`${parent}/`.startsWith(`${scratch.at("root")}/`)) return;
    if ((await lstat(at).catch(() => undefined)) !== undefined || !(await stat(parent)).isDirectory()) return;
    if (node.kind === "directory") await mkdir(at);
    else if (node.kind === "file") await scratch.file(path.join("root", node.at)).catch(ignoreNoDirectory);
    else {
      const target = node.absolute ? scratch.at("root", node.target) : node.target;
      await symlink(target, at).catch(ignoreExists);
    }
  }

  function ignoreNoDirectory(error: NodeJS.ErrnoException): void {
    if (!["ENOTDIR", "EISDIR", "ENOENT", "ELOOP", "EEXIST"].includes(error.code ?? "")) throw error;
  }

  function ignoreExists(error: NodeJS.ErrnoException): void {
    if (error.code !== "EEXIST") throw error;
  }
});
