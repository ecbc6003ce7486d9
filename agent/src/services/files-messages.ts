import { CmdopError, FilesModeUse, FilesSkipped_Reason, FileType } from "@cmdop/proto";
import type { Entry, EntryType, Skipped } from "../files/place/entry.ts";
import type { Attributes, ModeUse } from "../files/place/mode.ts";
import type { SearchEvent } from "../files/search/search.ts";

const FILE_TYPES: Readonly<Record<EntryType, FileType>> = {
  file: FileType.FILE,
  directory: FileType.DIRECTORY,
  symlink: FileType.SYMLINK,
  other: FileType.OTHER,
};

const REASONS: Readonly<Record<Skipped["reason"], FilesSkipped_Reason>> = {
  unreadable: FilesSkipped_Reason.UNREADABLE,
  binary: FilesSkipped_Reason.BINARY,
  too_large: FilesSkipped_Reason.TOO_LARGE,
  long_line: FilesSkipped_Reason.LONG_LINE,
};

const MODE_USES: Readonly<Partial<Record<FilesModeUse, ModeUse>>> = {
  [FilesModeUse.UNSPECIFIED]: "made",
  [FilesModeUse.MASKED]: "masked",
  [FilesModeUse.ALWAYS]: "always",
};

/** Bytes on the wire of one item's numbers, rounded up. */
const ITEM_BYTES = 100;

/** Most bytes of a UTF-16 unit on the wire. */
const UNIT_BYTES = 3;

/** Converts a request's attributes to those of the files core. @throws CmdopError InvalidArgument */
export function withAttributes<T extends { readonly modeUse: FilesModeUse }>(
  request: T,
): Omit<T, "modeUse"> & Attributes {
  const modeUse = MODE_USES[request.modeUse];
  if (modeUse !== undefined) return { ...request, modeUse };
  throw new CmdopError("InvalidArgument", `This agent knows no use ${request.modeUse} of a mode.`, {
    next: "Update the agent on the machine.",
  });
}

/** Converts an entry of the core to a message. */
export function toMessage({ type, unread, ...entry }: Entry) {
  const message = { ...entry, type: FILE_TYPES[type] };
  return unread === undefined ? message : { ...message, unread: skippedMessage(unread) };
}

/** Returns an upper estimate of an entry's bytes on the wire. */
export function entryBytes({ name, path, linkTarget = "" }: Entry): number {
  return ITEM_BYTES + UNIT_BYTES * (name.length + path.length + linkTarget.length);
}

/** Converts events of a search to one message. */
export function searchMessage(events: readonly SearchEvent[]) {
  const last = events.at(-1);
  return {
    entries: events.flatMap((event) => (event.kind === "entry" ? [toMessage(event.entry)] : [])),
    matches: events.flatMap((event) => {
      if (event.kind !== "match") return [];
      return [{ path: event.path, ...event.match, line: BigInt(event.match.line) }];
    }),
    skipped: events.flatMap((event) => (event.kind === "skipped" ? [skippedMessage(event.skipped)] : [])),
    ...(last?.kind === "ended" ? { summary: last } : {}),
  };
}

/** Returns an upper estimate of an event's bytes on the wire. */
export function eventBytes(event: SearchEvent): number {
  if (event.kind === "entry") return entryBytes(event.entry);
  if (event.kind === "skipped") return ITEM_BYTES + UNIT_BYTES * 2 * event.skipped.message.length;
  if (event.kind === "ended") return ITEM_BYTES;
  const { text, before, after } = event.match;
  const units = [text, ...before, ...after].reduce((sum, line) => sum + line.length, event.path.length);
  return ITEM_BYTES + UNIT_BYTES * units;
}

function skippedMessage({ reason, ...skipped }: Skipped) {
  return { ...skipped, reason: REASONS[reason] };
}
