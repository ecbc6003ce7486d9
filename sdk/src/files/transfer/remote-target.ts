import { createHash } from "node:crypto";
import { posix } from "node:path";
import { CmdopError, FILE_CHUNK_BYTES, mayHaveRun } from "@cmdop/proto";
import { methodOf } from "../method-of.ts";
import { sameHash } from "./names.ts";
import { Patience } from "./patience.ts";
import type { Machine } from "./remote-source.ts";
import { Stretch } from "./stretch.ts";
import type { Content, PutOptions, Target } from "./types.ts";
import { Upload, wrong } from "./upload.ts";

/** A file that goes in one message: as much as a piece of a stream. */
const SMALL_BYTES = FILE_CHUNK_BYTES;

/** A directory that is written into needs these. */
const OWNER_BITS = 0o700;

/** A place on a machine. */
export function remoteTarget(machine: Machine, root: string, signal: AbortSignal | undefined): Target {
  const { files, caller } = machine;
  const at = (below: string): string => (below === "" ? root : posix.join(root, below));
  const patience = () => new Patience(caller.transport, signal);
  // What one file has learned of the line holds for the others.
  const stretch = new Stretch();
  return {
    directory: (below, mode) =>
      patience().until(async () => {
        const call = await caller.options(methodOf("Mkdir"), { signal });
        const permissions = mode === undefined ? {} : { mode: mode | OWNER_BITS };
        await files.mkdir({ path: at(below), parents: true, ...permissions }, call);
      }),
    file: (below, content, options) =>
      content.size !== undefined &&
      content.size <= SMALL_BYTES &&
      options.overwrite &&
      options.ifMatch === undefined
        ? putSmall(machine, at(below), content, options, stretch)
        : new Upload(machine, at(below), content, options, stretch).run(),
    link: (below, linkTarget) =>
      patience().until(async () => {
        const call = await caller.options(methodOf("Symlink"), { signal });
        await files.symlink({ path: at(below), target: linkTarget, overwrite: true }, call);
      }),
  };
}

/** A small file in one message; as an upload with stretches where that was lost, since the line may not carry so much at once. */
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
  const mode = content.mode === undefined ? {} : { mode: content.mode };
  try {
    const call = await caller.options(methodOf("Write"), { signal });
    const { entry } = await files.write({ path, content: bytes, ...mode }, call);
    if (entry?.sha256 === undefined || !sameHash(entry.sha256, sha256)) throw wrong(content);
  } catch (thrown) {
    await new Patience(caller.transport, signal, turn).after(thrown);
    stretch.broke(bytes.length, 0);
    const mayBeThere = mayHaveRun(CmdopError.from(thrown));
    return new Upload(machine, path, content, options, stretch, mayBeThere).run();
  }
  passed(bytes.length);
  return sha256;
}
