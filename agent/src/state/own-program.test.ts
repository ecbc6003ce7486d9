import { link, mkdir, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import type { Boundary } from "../files/place/boundary.ts";
import { isPartOf, landmark } from "../files/place/landmark.ts";
import { makeScratch, mounted, NEVER, refusal, type Scratch, snapshot } from "../files/place/test-support.ts";
import { readContent } from "../files/read/read.ts";
import { copy } from "../files/tree/copy.ts";
import { makeDirectory } from "../files/tree/mkdir.ts";
import { move } from "../files/tree/move.ts";
import { remove } from "../files/tree/remove.ts";
import { makeSymlink } from "../files/tree/symlink.ts";
import { appendContent } from "../files/write/append.ts";
import { edit } from "../files/write/edit.ts";
import { writeContent } from "../files/write/write.ts";
import { ownProgram, programTree } from "./own-program.ts";

const ONE = { parents: false };

/** Calls that would change a file, or replace it. */
const CHANGES: Readonly<
  Record<string, (boundary: Boundary, file: string, other: string) => Promise<unknown>>
> = {
  write: (boundary, file) => writeContent(boundary, file, Buffer.from("evil"), ONE),
  append: (boundary, file) => appendContent(boundary, file, Buffer.from("evil"), ONE),
  edit: (boundary, file) =>
    edit(boundary, file, { old: Buffer.from("code"), new: Buffer.from("evil"), all: true }, NEVER),
  delete: (boundary, file) => remove(boundary, file, { recursive: true }, NEVER),
  "move away": (boundary, file, other) => move(boundary, file, other, { overwrite: true }, NEVER),
  "move onto": async (boundary, file, other) => {
    await writeFile(other, "evil");
    return move(boundary, other, file, { overwrite: true }, NEVER);
  },
  "copy onto": async (boundary, file, other) => {
    await writeFile(other, "evil");
    return copy(boundary, other, file, { recursive: true, overwrite: true }, NEVER);
  },
  "make a directory at": (boundary, file) => makeDirectory(boundary, `${file}.d/new`, { parents: true }),
  "make a link at": (boundary, file) => makeSymlink(boundary, `${file}.link`, "x", { overwrite: true }),
};

/** Makes a program's tree and a single file elsewhere, both the agent's own. */
async function makeProgram(scratch: Scratch): Promise<Boundary> {
  await scratch.file("opt/program/search/thread.ts", "code");
  await scratch.file("bin/node", "code");
  const own = ["opt/program", "bin/node", "units/agent.service.d"].map((name) => landmark(scratch.at(name)));
  return { ...scratch.boundary(), program: await Promise.all(own) };
}

describe("the agent's own program", () => {
  it.each(Object.entries(CHANGES))("nobody can %s a file of it, however it is named", async (_, change) => {
    await using scratch = await makeScratch();
    const boundary = await makeProgram(scratch);
    await symlink(scratch.at("opt"), scratch.at("link"));
    await using _mount = await mounted(scratch.at("alias"), ["--bind", scratch.at("opt/program/search")]);
    const before = await snapshot(scratch.at("opt"));
    for (const file of ["opt/program/search/thread.ts", "link/program/search/thread.ts", "alias/thread.ts"]) {
      const { code, message } = await refusal(change(boundary, scratch.at(file), scratch.at("other")));
      expect([file, code, message]).toEqual([
        file,
        "PolicyDenied",
        expect.stringContaining("the agent's own program"),
      ]);
    }
    expect(await snapshot(scratch.at("opt"))).toEqual(before);
  });

  it("neither can what holds it be deleted or moved away, nor what it starts with be made", async () => {
    await using scratch = await makeScratch();
    const boundary = await makeProgram(scratch);
    const attacks = [
      () => remove(boundary, scratch.at("opt"), { recursive: true }, NEVER),
      () => remove(boundary, scratch.at("opt/program"), { recursive: true }, NEVER),
      () => move(boundary, scratch.at("opt"), scratch.at("elsewhere"), { overwrite: false }, NEVER),
      () => writeContent(boundary, scratch.at("bin/node"), Buffer.from("evil"), ONE),
      () => move(boundary, scratch.at("bin"), scratch.at("elsewhere"), { overwrite: false }, NEVER),
      () => makeDirectory(boundary, scratch.at("units/agent.service.d"), { parents: true }),
      () =>
        writeContent(boundary, scratch.at("units/agent.service.d/x.conf"), Buffer.from("evil"), {
          parents: true,
        }),
    ];
    for (const attack of attacks) expect((await refusal(attack())).code).toBe("PolicyDenied");
    expect(await snapshot(scratch.dir)).toMatchObject({ "opt/program/search/thread.ts": "code" });
  });

  it("is not added to under a second name", async () => {
    await using scratch = await makeScratch();
    const boundary = await makeProgram(scratch);
    await link(scratch.at("opt/program/search/thread.ts"), scratch.at("second"));
    const added = appendContent(boundary, scratch.at("second"), Buffer.from("evil"), ONE);
    expect((await refusal(added)).code).toBe("PolicyDenied");
  });

  it("can be read, and what lies beside it changed", async () => {
    await using scratch = await makeScratch();
    const boundary = await makeProgram(scratch);
    const file = scratch.at("opt/program/search/thread.ts");
    expect(Buffer.from((await readContent(boundary, file, { offset: 0n })).content).toString()).toBe("code");
    await copy(boundary, file, scratch.at("mine"), { recursive: false, overwrite: false }, NEVER);
    await writeContent(boundary, scratch.at("opt/other"), Buffer.from("x"), ONE);
    await writeContent(boundary, scratch.at("bin/other"), Buffer.from("x"), ONE);
  });

  it("is where this code, its packages and Node lie, and the unit that starts it", async () => {
    const own = await ownProgram();
    const isOwn = async (file: string): Promise<boolean> => {
      const { device, inside } = await landmark(file);
      return own.some((part) => isPartOf({ device, inside, layers: [], type: "" }, part));
    };
    const sources = path.dirname(import.meta.dirname);
    for (const file of [
      path.join(sources, "files/search/matching-thread.ts"),
      import.meta.resolve("@cmdop/proto").replace("file://", ""),
      import.meta.resolve("zod").replace("file://", ""),
      process.execPath,
      "/etc/systemd/system/cmdop-agent.service",
      "/etc/systemd/system/cmdop-agent.service.d/override.conf",
    ]) {
      expect([file, await isOwn(file)]).toEqual([file, true]);
    }
    expect(await isOwn("/etc/hosts")).toBe(false);
  });

  it("is all that was installed together", async () => {
    expect(programTree("/usr/lib/node_modules/cmdop/node_modules/@cmdop/agent/dist/agent.js")).toBe(
      "/usr/lib/node_modules",
    );
    await using scratch = await makeScratch();
    await scratch.file("work/pnpm-workspace.yaml");
    await scratch.file("work/agent/package.json");
    await mkdir(scratch.at("work/agent/src"));
    await scratch.file("alone/package.json");
    expect(programTree(scratch.at("work/agent/src/a.ts"))).toBe(scratch.at("work"));
    expect(programTree(scratch.at("alone/a.js"))).toBe(scratch.at("alone"));
    await scratch.file("opt/cmdop/versions/1.0.0/package.json");
    expect(programTree(scratch.at("opt/cmdop/versions/1.0.0/program/main.js"))).toBe(scratch.at("opt/cmdop"));
  });
});
