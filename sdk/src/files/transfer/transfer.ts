import { CmdopError, visible } from "@cmdop/proto";
import { hashBytes } from "../write.ts";
import { Line } from "./line.ts";
import { namesDirectory } from "./names.ts";
import { Progress } from "./progress.ts";
import { KEPT_TEXT } from "./retention.ts";
import { transferTree } from "./transfer-tree.ts";
import type { PutOptions, Source, Target, TransferResult, UploadOptions, WrittenFile } from "./types.ts";

/** Settings that all files of a transfer share. */
export type PutSettings = Pick<PutOptions, "overwrite" | "resume" | "preserve" | "ifMatch" | "left">;

/** Transfers a file or a tree from one place to another. */
export async function transfer(
  source: Source,
  target: Target,
  options: UploadOptions,
): Promise<TransferResult> {
  let left = 0;
  const settings = settingsOf(options, () => {
    left += 1;
  });
  try {
    return await transferAll(source, target, options, settings);
  } catch (thrown) {
    const error = CmdopError.from(thrown);
    if (options.signal?.aborted === true) throw canceled(error, settings, left);
    if (left === 0) throw thrown;
    throw new CmdopError(error.code, `${error.message} ${leftText(left)}`, {
      cause: error,
      next: error.next,
    });
  }
}

function canceled(cause: CmdopError, { resume }: PutSettings, left: number): CmdopError {
  const rest = resume
    ? "The part that has arrived is kept for resuming."
    : left === 0
      ? "Nothing unfinished was left behind."
      : leftText(left);
  return new CmdopError("Canceled", `The transfer was canceled. ${rest}`, { cause });
}

function leftText(files: number): string {
  const what = files === 1 ? "an unfinished file" : `${files} unfinished files`;
  return `The machine could not be told to remove ${what}: it does so by itself ${KEPT_TEXT}.`;
}

function settingsOf(options: UploadOptions, left: () => void): PutSettings {
  const { overwrite = true, resume = false, preserve = false } = options;
  const ifMatch = options.ifMatch === undefined ? undefined : hashBytes(options.ifMatch);
  if (ifMatch !== undefined && !overwrite) {
    throw new CmdopError("InvalidArgument", "ifMatch replaces a file, and overwrite: false forbids it.", {
      next: "Give one of them.",
    });
  }
  return { overwrite, resume, preserve, ifMatch, left };
}

async function transferAll(
  source: Source,
  target: Target,
  options: UploadOptions,
  settings: PutSettings,
): Promise<TransferResult> {
  const { signal, recursive = false } = options;
  signal?.throwIfAborted();
  const { type } = await source.facts();
  if (type === "directory") {
    if (settings.ifMatch !== undefined) throw singleFile();
    if (recursive || source.isSeveral) return transferTree(source, target, options, settings);
    throw new CmdopError("IsADirectory", `${visible(source.path)} is a directory.`, {
      next: "Use recursive to transfer it with all its contents.",
    });
  }
  if (target.path !== undefined && namesDirectory(target.path)) throw noFileThere(target.path);
  using turn = new Line(1).turn();
  await using content = await source.open("", turn);
  const progress = new Progress(options, content.size === undefined ? {} : { bytes: content.size });
  const count = progress.begin(content.path, content.size, content.size ?? 0);
  const written: WrittenFile[] = [];
  const sha256 = await target.file("", content, {
    ...settings,
    signal,
    turn,
    follow: true,
    passed: count.passed,
    written: (how) => written.push({ path: target.path ?? content.path, ...how }),
  });
  progress.end(count, true);
  const unusual = written.length === 0 ? {} : { written };
  return { ...progress.result, skipped: [], ...unusual, sha256: Buffer.from(sha256).toString("hex") };
}

function noFileThere(path: string): CmdopError {
  return new CmdopError(
    "IsADirectory",
    `${visible(path)} names a directory, and no file is made under such a name.`,
    {
      next: "Name the new file itself; where there is no such directory, make it first.",
    },
  );
}

function singleFile(): CmdopError {
  return new CmdopError("InvalidArgument", "ifMatch is for a single file, and the source is a directory.", {
    next: "Transfer its files one by one, each with the hash of what it replaces.",
  });
}
