import { rename, symlink } from "node:fs/promises";
import { afterEach, expect, it, vi } from "vitest";
import type { Boundary } from "../place/boundary.ts";
import { MAX_UNFINISHED_AGE_MS } from "../place/limits.ts";
import { leftovers, makeScratch, NEVER, refusalCode, type Scratch, snapshot } from "../place/test-support.ts";
import { Unfinished } from "../unfinished/unfinished.ts";
import { UnfinishedLog } from "../unfinished/unfinished-log.ts";
import { writeContent } from "../write/write.ts";
import { cleanUp } from "./clean-up.ts";
import { copy } from "./copy.ts";

const NAME = ".cmdop-tmp-0123456789abcdef";

afterEach(() => void vi.useRealTimers());

async function prepared(scratch: Scratch): Promise<{ unfinished: Unfinished; boundary: Boundary }> {
  const unfinished = new Unfinished(new UnfinishedLog(scratch.at("state/unfinished.log")));
  return { unfinished, boundary: { ...scratch.boundary(), unfinished } };
}

/** Cleans, and fails on any trouble. */
async function clean(scratch: Scratch, unfinished: Unfinished): Promise<void> {
  const troubles: unknown[] = [];
  await cleanUp(unfinished, scratch.boundary(), unfinished.left, (_, error) => troubles.push(error));
  expect(troubles).toEqual([]);
}

it("what is finished, or failed properly, leaves neither a file nor a record", async () => {
  await using scratch = await makeScratch();
  const { unfinished, boundary } = await prepared(scratch);
  const content = Buffer.from("x");
  await writeContent(boundary, scratch.at("d/f"), content, { parents: true });
  await copy(boundary, scratch.at("d"), scratch.at("e"), { recursive: true, overwrite: false }, NEVER);
  const again = writeContent(boundary, scratch.at("d/f"), content, { parents: false, ifAbsent: true });
  expect(await refusalCode(again)).toBe("AlreadyExists");
  const gone = copy(
    boundary,
    scratch.at("d"),
    scratch.at("g"),
    { recursive: true, overwrite: false },
    AbortSignal.abort(),
  );
  expect(await refusalCode(gone)).toBe("Canceled");
  expect([unfinished.left, await leftovers(scratch.dir)]).toEqual([[], []]);
});

it("cleans up a file, a tree, and what is gone already", async () => {
  await using scratch = await makeScratch();
  const { unfinished } = await prepared(scratch);
  await scratch.file(`d/${NAME}`);
  await unfinished.note(scratch.at("d"), NAME);
  const tree = NAME.replace("0", "1");
  await scratch.file(`d/${tree}/sub/f`);
  await scratch.file("kept/f");
  await symlink(scratch.at("kept"), scratch.at(`d/${tree}/link`));
  await unfinished.note(scratch.at("d"), tree);
  await unfinished.note(scratch.at("d"), NAME.replace("0", "2"));
  await clean(scratch, unfinished);
  expect(unfinished.left).toEqual([]);
  expect(await snapshot(scratch.at("d"))).toEqual({});
  expect(await snapshot(scratch.at("kept"))).toEqual({ f: "kept/f" });
});

it("remembers what lies on a disk that is away, but not for ever", async () => {
  await using scratch = await makeScratch();
  const { unfinished } = await prepared(scratch);
  await scratch.file(`disk/${NAME}`);
  await unfinished.note(scratch.at("disk"), NAME);
  await rename(scratch.at("disk"), scratch.at("away"));
  await clean(scratch, unfinished);
  expect(unfinished.left).toEqual([NAME]);
  await rename(scratch.at("away"), scratch.at("disk"));
  await clean(scratch, unfinished);
  expect([unfinished.left, await snapshot(scratch.at("disk"))]).toEqual([[], {}]);
  await unfinished.note(scratch.at("away"), NAME);
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + MAX_UNFINISHED_AGE_MS + 1 });
  await clean(scratch, unfinished);
  expect(unfinished.left).toEqual([]);
});

it("removes nothing that has not the name of a temporary, and follows no link to a directory", async () => {
  await using scratch = await makeScratch();
  const { unfinished } = await prepared(scratch);
  await scratch.file("d/precious");
  await scratch.file(`elsewhere/${NAME}`);
  await symlink(scratch.at("elsewhere"), scratch.at("link"));
  await unfinished.note(scratch.at("d"), "precious");
  await unfinished.note(scratch.at("link"), NAME);
  await clean(scratch, unfinished);
  expect(await snapshot(scratch.at("d"))).toEqual({ precious: "d/precious" });
  expect(await leftovers(scratch.at("elsewhere"))).toEqual([NAME]);
});
