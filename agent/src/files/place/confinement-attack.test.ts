import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { CmdopError } from "@cmdop/proto";
import { describe, expect, it } from "vitest";
import { hashOf } from "../read/content-hash.ts";
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
import { ALL, beside, COPY, EDIT, makeRoot, SEARCH, seed, TREE, upload } from "./confinement-support.ts";
import { linkRefused } from "./descend.ts";
import { collected, makeScratch, NEVER, type Scratch, snapshot } from "./test-support.ts";

describe("against somebody who swaps a directory for a link all the time", () => {
  /** Enough of each to have met the attacker both ways. */
  const ENOUGH = 40;
  const MAX_ROUNDS = 3_000;
  const REFUSALS = ["PolicyDenied", "NotFound", "NotADirectory", "AlreadyExists", "FileChanged"];

  /** Swaps `root/d` and a link to `outside` under the same name until it is killed; says when it has begun. */
  async function startAttacker(scratch: Scratch): Promise<ChildProcess> {
    const program = `
      const fs = require("node:fs");
      const [d, real, link, outside] = process.argv.slice(1);
      fs.symlinkSync(outside, link);
      console.log("begun");
      for (;;) {
        fs.renameSync(d, real); fs.renameSync(link, d);
        fs.renameSync(d, link); fs.renameSync(real, d);
      }`;
    const names = ["root/d", "root/real", "root/link", "outside"].map((name) => scratch.at(name));
    const attacker = spawn(process.execPath, ["-e", program, ...names], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(attacker.stdout ?? attacker, "data");
    return attacker;
  }

  async function insideStream(boundary: Boundary, file: string): Promise<void> {
    const pieces = await collected(streamContent(boundary, file, { offset: 0n }, NEVER));
    expect(Buffer.concat(pieces.map(({ data }) => data)).toString()).toBe("inside");
  }

  async function copyIn(boundary: Boundary, to: string): Promise<void> {
    const from = await seed(boundary);
    try {
      await copy(boundary, from, to, COPY, NEVER);
    } finally {
      await remove(boundary, from, { recursive: false }, NEVER);
    }
  }

  const write = (boundary: Boundary, file: string) =>
    writeContent(boundary, file, Buffer.from("inside"), { parents: false });

  it.each<[string, (boundary: Boundary, d: string, round: number) => Promise<unknown>]>([
    ["read", (boundary, d) => readContent(boundary, `${d}/secret`, { offset: 0n })],
    [
      "list",
      async (boundary, d) => {
        const { entries } = await list(boundary, `${d}/dir`, ALL);
        expect(entries.map(({ name }) => name)).toEqual(["f"]);
      },
    ],
    ["write", (boundary, d) => write(boundary, `${d}/secret`)],
    ["append", (boundary, d) => appendContent(boundary, `${d}/secret`, Buffer.from("x"), { parents: false })],
    ["edit", (boundary, d) => edit(boundary, `${d}/secret`, EDIT, NEVER)],
    [
      "walk",
      async (boundary, d) => {
        const entries = await collected(walk(boundary, d, TREE, NEVER));
        expect(entries.map(({ name }) => name)).not.toContain("only-outside");
      },
    ],
    [
      "search",
      async (boundary, d) => {
        const events = await collected(search(boundary, d, SEARCH, NEVER));
        expect(events.map((event) => event.kind === "entry" && event.entry.name)).not.toContain(
          "only-outside",
        );
      },
    ],
    ["stream", (boundary, d) => insideStream(boundary, `${d}/secret`)],
    ["upload", (boundary, d) => upload(boundary, `${d}/secret`, "inside")],
    [
      "symlink",
      (boundary, d, round) => makeSymlink(boundary, `${d}/link-${round}`, "x", { overwrite: false }),
    ],
    [
      "info",
      async (boundary, d) => {
        const { sha256 } = await info(boundary, `${d}/secret`, { hash: true });
        expect(sha256).toEqual(hashOf(Buffer.from("inside")));
      },
    ],
    [
      "copy from",
      async (boundary, d) => {
        const to = beside(boundary);
        await copy(boundary, d, to, COPY, NEVER);
        try {
          // Where the link was met, it was copied as a link.
          if ((await info(boundary, to)).type === "symlink") throw linkRefused(d);
          const copied = await collected(walk(boundary, to, TREE, NEVER));
          expect(copied.map(({ name }) => name)).not.toContain("only-outside");
          await insideStream(boundary, `${to}/secret`);
        } finally {
          await remove(boundary, to, { recursive: true }, NEVER);
        }
      },
    ],
    ["copy to", (boundary, d, round) => copyIn(boundary, `${d}/copied-${round}`)],
    ["mkdir", (boundary, d, round) => makeDirectory(boundary, `${d}/new-${round}`, { parents: false })],
    [
      "move",
      (boundary, d, round) => {
        const [from, to] = round % 2 === 0 ? ["secret", "moved"] : ["moved", "secret"];
        return move(boundary, `${d}/${from}`, `${d}/${to}`, { overwrite: true }, NEVER);
      },
    ],
    [
      "delete",
      async (boundary, d) => {
        await makeDirectory(boundary, `${d}/dir`, { parents: false }).catch(() => undefined);
        await write(boundary, `${d}/dir/f`).catch(() => undefined);
        await remove(boundary, `${d}/dir`, { recursive: true }, NEVER);
      },
    ],
  ])("%s never leaves the root", async (_, operation) => {
    await using scratch = await makeScratch();
    const { root, boundary } = await makeRoot(scratch);
    await scratch.file("root/d/secret", "inside");
    await scratch.file("root/d/dir/f", "inside");
    const outside = await snapshot(scratch.at("outside"));
    const attacker = await startAttacker(scratch);
    let done = 0;
    let refused = 0;
    try {
      for (let round = 0; round < MAX_ROUNDS && (done < ENOUGH || refused < ENOUGH); round++) {
        try {
          const answer = await operation(boundary, `${root}/d`, round);
          const content = Reflect.get(Object(answer), "content");
          if (content !== undefined) expect(Buffer.from(content).toString()).toBe("inside");
          done++;
        } catch (thrown) {
          if (!(thrown instanceof CmdopError) || !REFUSALS.includes(thrown.code)) throw thrown;
          refused++;
        }
      }
    } finally {
      attacker.kill("SIGKILL");
      await once(attacker, "close");
    }
    expect(await snapshot(scratch.at("outside"))).toEqual(outside);
    expect([done, refused].every((count) => count > 0)).toBe(true);
  });
});
