import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { CmdopError } from "../errors/cmdop-error.ts";
import { MAX_REQUEST_FIELDS, MAX_REQUEST_TEXT_BYTES } from "../limits.ts";

/** A field takes two bytes at least, so less than this can't have too many. */
const MIN_CHECKED_BYTES = 2 * MAX_REQUEST_FIELDS;

/**
 * Looks at the fields of a request before it is decoded: a megabyte of empty
 * strings takes seconds to make into a list, and holds everybody's calls
 * meanwhile. It reads nothing but tags and lengths, and stops where it is too
 * much. @throws CmdopError MessageTooLarge; RangeError or Error for what is no message
 */
export function checkRequestBounds(schema: DescMessage, bytes: Uint8Array): void {
  if (bytes.length < MIN_CHECKED_BYTES) return;
  const left = { fields: MAX_REQUEST_FIELDS, textBytes: MAX_REQUEST_TEXT_BYTES };
  count(new BinaryReader(bytes), bytes.length, schema, left);
}

function count(
  reader: BinaryReader,
  end: number,
  schema: DescMessage | undefined,
  left: { fields: number; textBytes: number },
): void {
  while (reader.pos < end) {
    const [number, wireType] = reader.tag();
    left.fields -= 1;
    if (left.fields < 0) throw tooLarge(`${MAX_REQUEST_FIELDS} fields, values and items of lists`);
    if (wireType !== WireType.LengthDelimited) {
      // A group is a message of an age before ours.
      if (wireType === WireType.StartGroup) throw new RangeError("a group");
      reader.skip(wireType, number);
      continue;
    }
    const length = reader.uint32();
    const field = schema?.fields.find((candidate) => candidate.number === number);
    const inner = messageIn(field);
    if (inner !== undefined) count(reader, Math.min(reader.pos + length, end), inner.message, left);
    else {
      reader.pos += length;
      if (isContent(field)) continue;
      left.textBytes -= length;
      if (left.textBytes < 0) throw tooLarge(`${MAX_REQUEST_TEXT_BYTES} bytes of text`);
    }
  }
}

/** What a field holds that has fields itself; of an entry of a map no schema is at hand, nor needed. */
function messageIn(field: DescField | undefined): { message: DescMessage | undefined } | undefined {
  if (field?.fieldKind === "message") return { message: field.message };
  if (field?.fieldKind === "map") return { message: undefined };
  return field?.fieldKind === "list" && field.listKind === "message" ? { message: field.message } : undefined;
}

/** Bytes that are kept as they are: they cost no more than their length. */
function isContent(field: DescField | undefined): boolean {
  return field?.fieldKind === "scalar" && field.scalar === ScalarType.BYTES;
}

function tooLarge(what: string): CmdopError {
  return new CmdopError("MessageTooLarge", `A request may have ${what} at most.`, {
    next: "Put the data into a file or standard input.",
  });
}
