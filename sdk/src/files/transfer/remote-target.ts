import { createHash } from "node:crypto";
import { posix } from "node:path";
import { CmdopError, FILE_CHUNK_BYTES, FilesModeUse, mayHaveRun } from "@cmdop/proto";
import { writtenOf } from "../file-info.ts";
import { methodOf } from "../method-of.ts";
import type { Machine } from "./machine.ts";
import { sameHash } from "./names.ts";
import { Patience } from "./patience.ts";
import { Stretch } from "./stretch.ts";
import { OWNER_BITS } from "./tree.ts";
import type { Content, PutOptions, Target } from "./types.ts";
import { attributesOf, Upload, wrong } from "./upload.ts";

/** Largest file that is sent in one message, in bytes: one piece of a stream. */
const SMALL_BYTES = FILE_CHUNK_BYTES;

/** Returns a path of a machine as a target. */
export function remoteTarget(machine: Machine, root: string, signal: AbortSignal | undefined): Target {
  const { files, caller } = machine;
  const at = (below: string): string => (below === "" ? root : posix.join(root, below));
  const patience = () => new Patience(machine, signal);
  // All files share it, because the line is the same for all.
  const stretch = new Stretch();
  const mkdir = (request: Parameters<typeof files.mkdir>[0]) =>
    patience().until(async () => {
      const call = await caller.options(methodOf("Mkdir"), { signal });
      return (await files.mkdir(request, call)).entry;
    });
  return {
    path: root,
    async directory(below, mode) {
      const permissions = mode === undefined ? {} : { mode: mode | OWNER_BITS, modeUse: FilesModeUse.MASKED };
      const request = { path: at(below), ...permissions };
      try {
        return (await mkdir({ ...request, parents: false }))?.mode;
      } catch (thrown) {
        if (CmdopError.from(thrown).code !== "AlreadyExists") throw thrown;
      }
      // An existing directory is accepted, and its parents can't be missing then.
      await mkdir({ ...request, parents: true });
      return undefined;
    },
    async finishDirectory(below, attributes) {
      await mkdir({ path: at(below), parents: true, modeUse: FilesModeUse.ALWAYS, ...attributes });
    },
    file: (below, content, options) =>
      content.size !== undefined &&
      content.size <= SMALL_BYTES &&
      options.overwrite &&
      options.ifMatch === undefined
        ? putSmall(machine, at(below), content, options, stretch)
        : new Upload(machine, at(below), content, options, stretch).run(),
    link: (below, linkTarget, mtimeMs) =>
      patience().until(async () => {
        const call = await caller.options(methodOf("Symlink"), { signal });
        const time = mtimeMs === undefined ? {} : { mtimeMs };
        await files.symlink({ path: at(below), target: linkTarget, overwrite: true, ...time }, call);
      }),
  };
}

/**
 * Sends a small file in one message. If that is lost, sends it as an upload with stretches, since the line
 * may not carry so much at once.
 */
async function putSmall(
  machine: Machine,
  path: string,
  content: Content,
  options: PutOptions,
  stretch: Stretch,
): Promise<Uint8Array> {
  const { files, caller } = machine;
  const { signal, turn, passed } = options;
  await turn.begin(signal);
  const pieces: Uint8Array[] = [];
  for await (const piece of content.read(0)) pieces.push(Buffer.from(piece));
  const bytes = Buffer.concat(pieces);
  const sha256 = createHash("sha256").update(bytes).digest();
  const told = await content.finish();
  if (told !== undefined && !sameHash(told, sha256)) throw wrong(content);
  try {
    const call = await caller.options(methodOf("Write"), { signal });
    const { entry } = await files.write({ path, content: bytes, ...attributesOf(content, options) }, call);
    if (entry?.sha256 === undefined || !sameHash(entry.sha256, sha256)) throw wrong(content);
    if (entry.written !== undefined) options.written(writtenOf(entry.written));
  } catch (thrown) {
    await new Patience(machine, signal, turn).after(thrown);
    stretch.broke(bytes.length, 0);
    const mayBeThere = mayHaveRun(CmdopError.from(thrown));
    return new Upload(machine, path, content, options, stretch, mayBeThere).run();
  }
  passed(bytes.length);
  return sha256;
}
