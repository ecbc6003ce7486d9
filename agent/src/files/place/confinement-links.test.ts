import { chmod, lchown, mkdir, readlink, symlink } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { readContent } from "../read/read.ts";
import { copy } from "../tree/copy.ts";
import { move } from "../tree/move.ts";
import { remove } from "../tree/remove.ts";
import { makeSymlink } from "../tree/symlink.ts";
import { writeContent } from "../write/write.ts";
import type { Boundary } from "./boundary.ts";
import { makeRoot } from "./confinement-support.ts";
import { makeScratch, mounted, NEVER, refusal, refusalCode, type Scratch, snapshot } from "./test-support.ts";

const TREE = { recursive: true, overwrite: false };
const KEEP = { overwrite: false };

/** A root with a directory in it, and a second one beside. */
async function makeTree(scratch: Scratch): Promise<{ root: string; boundary: Boundary }> {
  const { root, boundary } = await makeRoot(scratch);
  await mkdir(`${root}/a/b`, { recursive: true });
  await scratch.file("root/a/f", "content");
  return { root, boundary };
}

describe("a confined caller plants no link that leads out of its directories", () => {
  it.each([
    ["absolute", "/etc"],
    ["absolute, by ..", "ROOT/../outside"],
    ["absolute, to a name that merely begins alike", "ROOT-not"],
    ["upwards", "../../outside"],
    ["upwards, though only to what is inside as long as nothing is moved", "../f"],
    ["upwards behind a name", "b/../../../outside"],
    ["into the agent's state", "STATE/machine.key"],
  ])("%s", async (_, said) => {
    await using scratch = await makeScratch();
    const { root, boundary } = await makeTree(scratch);
    const target = said.replace("ROOT", root).replace("STATE", scratch.stateDir);
    const error = await refusal(makeSymlink(boundary, `${root}/a/b/l`, target, { overwrite: true }));
    expect([error.code, error.message]).toEqual(["PolicyDenied", expect.stringContaining("leads")]);
    await symlink("f", `${root}/a/l`);
    expect(await refusalCode(makeSymlink(boundary, `${root}/a/l`, target, { overwrite: true }))).toBe(
      "PolicyDenied",
    );
    expect(await readlink(`${root}/a/l`)).toBe("f");
  });

  it("but may make one that leads to what lies beside it or below, or is named in full", async () => {
    await using scratch = await makeScratch();
    const { root, boundary } = await makeTree(scratch);
    for (const [index, target] of ["f", "b/x", "./b", "not-there", `${root}/a/b`, root].entries()) {
      await makeSymlink(boundary, `${root}/a/l${index}`, target, { overwrite: false });
      expect(await readlink(`${root}/a/l${index}`)).toBe(target);
    }
  });

  it("nor copies or moves one that somebody else has made", async () => {
    await using scratch = await makeScratch();
    const { root, boundary } = await makeTree(scratch);
    await symlink(scratch.at("outside/secret"), `${root}/a/absolute`);
    await symlink("../f", `${root}/a/b/up`);
    await mkdir(`${root}/a/only-up/below`, { recursive: true });
    await symlink("../../f", `${root}/a/only-up/below/up`);
    const before = await snapshot(root);
    for (const source of ["a/absolute", "a/b/up", "a/b", "a/only-up/below", "a/only-up", "a"]) {
      for (const operation of [copy, move]) {
        const tried = operation(boundary, `${root}/${source}`, `${root}/to`, TREE, NEVER);
        const error = await refusal(tried);
        expect([source, error.code, error.message]).toEqual([
          source,
          "PolicyDenied",
          expect.stringContaining("leads"),
        ]);
      }
    }
    expect(await snapshot(root)).toEqual(before);
    await remove(boundary, `${root}/a/absolute`, { recursive: false }, NEVER);
  });

  it("nor when the move has to copy", async () => {
    await using scratch = await makeScratch();
    const { root, boundary } = await makeTree(scratch);
    await using _ = await mounted(`${root}/disk`, ["-t", "tmpfs", "-o", "size=1m", "tmpfs"]);
    await symlink("../../outside", `${root}/a/b/up`);
    expect(await refusalCode(move(boundary, `${root}/a`, `${root}/disk/a`, KEEP, NEVER))).toBe(
      "PolicyDenied",
    );
    expect(await snapshot(`${root}/disk`)).toEqual({});
  });

  it("and trees whose links stay in them are copied and moved whole", async () => {
    await using scratch = await makeScratch();
    const { root, boundary } = await makeTree(scratch);
    await symlink("../f", `${root}/a/b/up`);
    await symlink("b", `${root}/a/down`);
    await symlink(`${root}/a/f`, `${root}/a/full`);
    await copy(boundary, `${root}/a`, `${root}/copied`, TREE, NEVER);
    await mkdir(`${root}/x/y`, { recursive: true });
    await move(boundary, `${root}/copied`, `${root}/x/y/moved`, KEEP, NEVER);
    expect(await snapshot(`${root}/x/y/moved`)).toEqual({
      b: "directory",
      "b/up": "-> ../f",
      down: "-> b",
      f: "content",
      full: `-> ${root}/a/f`,
    });
  });

  it("while who is not confined makes, copies and moves any link", async () => {
    await using scratch = await makeScratch();
    const { root } = await makeTree(scratch);
    const free = scratch.boundary();
    await makeSymlink(free, `${root}/a/b/l`, "../../../outside", { overwrite: false });
    await copy(free, `${root}/a`, `${root}/c`, TREE, NEVER);
    await move(free, `${root}/c/b/l`, `${root}/l`, KEEP, NEVER);
    expect(await readlink(`${root}/l`)).toBe("../../../outside");
  });
});

describe("a confined caller keeps the directories that it is bound to", () => {
  it("neither deleted, nor moved away, nor replaced, nor what holds one of them", async () => {
    await using scratch = await makeScratch();
    const { root } = await makeTree(scratch);
    await scratch.file("root/outer/inner/f");
    const boundary = scratch.boundary([root, scratch.at("root/outer/inner")], [scratch.dir]);
    const before = await snapshot(scratch.dir);
    for (const directory of [root, `${root}/outer`, `${root}/outer/inner`]) {
      const attacks = [
        () => remove(boundary, directory, { recursive: true }, NEVER),
        () => move(boundary, directory, `${root}/to`, KEEP, NEVER),
        () => move(boundary, `${root}/a`, directory, { overwrite: true }, NEVER),
        () => copy(boundary, `${root}/a`, directory, { recursive: true, overwrite: true }, NEVER),
        () => makeSymlink(boundary, directory, "a", { overwrite: true }),
        () => writeContent(boundary, directory, Buffer.from("x"), { parents: true }),
      ];
      for (const attack of attacks) {
        const { code } = await refusal(attack());
        expect(["PolicyDenied", "AlreadyExists", "IsADirectory", "InvalidArgument"]).toContain(code);
      }
    }
    const emptied = remove(boundary, `${root}/outer/inner`, { recursive: false }, NEVER);
    expect(await refusalCode(emptied)).toBe("PolicyDenied");
    expect(await snapshot(scratch.dir)).toEqual(before);
  });

  it("nor may it make a link where one of them is missing", async () => {
    await using scratch = await makeScratch();
    const boundary = scratch.boundary([scratch.at("missing")]);
    const made = makeSymlink(boundary, scratch.at("missing"), "x", { overwrite: false });
    expect(await refusalCode(made)).toBe("PolicyDenied");
  });

  it("a file that it is bound to is written, and not deleted", async () => {
    await using scratch = await makeScratch();
    const file = await scratch.file("granted", "old");
    const boundary = scratch.boundary([file]);
    await writeContent(boundary, file, Buffer.from("new"), { parents: false });
    expect(await refusalCode(remove(boundary, file, { recursive: true }, NEVER))).toBe("PolicyDenied");
    expect(Buffer.from((await readContent(boundary, file, { offset: 0n })).content).toString()).toBe("new");
  });
});

describe("who follows links follows none that another user has left in a directory of everybody's", () => {
  it("as the kernel's own protection has it", async () => {
    await using scratch = await makeScratch();
    await scratch.file("f", "content");
    await mkdir(scratch.at("everybodys"));
    await chmod(scratch.at("everybodys"), 0o1777);
    for (const name of ["theirs", "ours"]) await symlink(scratch.at("f"), scratch.at("everybodys", name));
    await lchown(scratch.at("everybodys/theirs"), 65_534, 65_534);
    const boundary = scratch.boundary();
    await readContent(boundary, scratch.at("everybodys/ours"), { offset: 0n });
    const theirs = readContent(boundary, scratch.at("everybodys/theirs"), { offset: 0n });
    expect(await refusalCode(theirs)).toBe("AccessDenied");
  });
});
