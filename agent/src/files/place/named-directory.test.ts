import { mkdir, symlink } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { hashOf } from "../read/content-hash.ts";
import { copy } from "../tree/copy.ts";
import { makeDirectory } from "../tree/mkdir.ts";
import { move } from "../tree/move.ts";
import { remove } from "../tree/remove.ts";
import { makeSymlink } from "../tree/symlink.ts";
import { appendContent } from "../write/append.ts";
import { edit } from "../write/edit.ts";
import { receiveContent } from "../write/upload.ts";
import { writeContent } from "../write/write.ts";
import type { Boundary } from "./boundary.ts";
import { makeScratch, NEVER, run, type Scratch, snapshot } from "./test-support.ts";

const CONTENT = Buffer.from("new");

async function* pieces() {
  yield { data: CONTENT, finish: { size: 3n, sha256: hashOf(CONTENT) } };
}

type Call = (boundary: Boundary, at: (name: string) => string) => Promise<unknown>;

/** What is tried in a directory with a file, a full directory, and links to both: our call, and the shell's line for it. */
const WAYS: readonly (readonly [name: string, call: Call, line: string])[] = [
  ...[
    "file/",
    "file/.",
    "directory/",
    "absent/",
    "absent/.",
    "to-file/",
    "to-directory/",
    "no/absent/",
  ].flatMap((path): [string, Call, string][] => [
    [
      `write ${path}`,
      (caller, at) => writeContent(caller, at(path), CONTENT, { parents: path === "no/absent/" }),
      `printf new > ${path}`,
    ],
    [
      `append to ${path}`,
      (caller, at) => appendContent(caller, at(path), CONTENT, { parents: false }),
      `printf new >> ${path}`,
    ],
    [
      `upload to ${path}`,
      (caller, at) => receiveContent(caller, at(path), pieces(), { parents: path === "no/absent/" }),
      `printf new > ${path}`,
    ],
    [
      `edit ${path}`,
      (caller, at) => {
        const change = { old: Buffer.from("old"), new: CONTENT, all: false };
        return edit(caller, at(path), change, NEVER);
      },
      `sed -i s/old/new/ ${path}`,
    ],
  ]),
  ...["file/", "absent/", "to-directory/"].map((path): [string, Call, string] => [
    `link ${path}`,
    (caller, at) => makeSymlink(caller, at(path), "x", { overwrite: true }),
    `ln -sfT x ${path}`,
  ]),
  ...["file/", "absent/", "to-file/", "to-directory/", "directory/"].map((path): [string, Call, string] => [
    `delete ${path}`,
    (caller, at) => remove(caller, at(path), { recursive: true }, NEVER),
    // rm -r empties the directory behind a link, and then fails.
    path === "to-directory/" ? `rm ${path}` : `rm -r ${path}`,
  ]),
  ...["new/", "new", "full/new/"].map((path): [string, Call, string] => [
    `make the directory ${path}`,
    (caller, at) => makeDirectory(caller, at(path), { parents: true }),
    `mkdir -p ${path}`,
  ]),
  ...[
    ["file", "absent/"],
    ["file", "absent/."],
    ["file/", "absent"],
    ["file", "to-file/"],
    ["directory", "absent/"],
    ["directory/", "absent"],
    ["to-directory/", "absent"],
    ["to-file", "absent/"],
  ].flatMap(([from = "", to = ""]): [string, Call, string][] => [
    [
      `copy ${from} ${to}`,
      (caller, at) => copy(caller, at(from), at(to), { recursive: true, overwrite: true }, NEVER),
      // Links are copied as links, as cp -P does.
      `cp -rPT ${from} ${to}`,
    ],
    [
      `move ${from} ${to}`,
      (caller, at) => move(caller, at(from), at(to), { overwrite: true }, NEVER),
      `mv -T ${from} ${to}`,
    ],
  ]),
];

async function furnish(scratch: Scratch, name: string): Promise<string> {
  await scratch.file(`${name}/file`, "old");
  await scratch.file(`${name}/directory/inner`, "old");
  await scratch.file(`${name}/full/inner`, "old");
  await symlink("file", scratch.at(name, "to-file"));
  await symlink("directory", scratch.at(name, "to-directory"));
  await mkdir(scratch.at(name, "empty"));
  return scratch.at(name);
}

describe("a path that ends with a slash means a directory, as in the shell", () => {
  it.each(WAYS)("%s", async (_, call, line) => {
    await using scratch = await makeScratch();
    const ours = await furnish(scratch, "ours");
    const theirs = await furnish(scratch, "theirs");
    const refused = await call(scratch.boundary(), (name) => `${ours}/${name}`).then(
      () => false,
      (error: { code?: string }) => {
        expect(["NotADirectory", "IsADirectory", "NotFound", "AlreadyExists"]).toContain(error.code);
        return true;
      },
    );
    const failed = await run("bash", ["-c", line], { cwd: theirs }).then(
      () => false,
      () => true,
    );
    expect([refused, await snapshot(ours)]).toEqual([failed, await snapshot(theirs)]);
  });
});
