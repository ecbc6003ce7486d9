import { crc32 } from "node:zlib";
import { OUTPUT_CHUNK_BYTES } from "@cmdop/proto";
import type { Channel } from "./journal-records.ts";

/** Before each record's bytes: a checksum of all that follows, four bytes, the channel, one, and the count of the bytes, four; the largest first. */
export const HEADER_BYTES = 9;

/** The bytes of one record at most: a reader has a whole one in memory to check it. */
export const MAX_RECORD_BYTES = OUTPUT_CHUNK_BYTES;

const CHECKSUM_BYTES = 4;

const CHANNELS: readonly Channel[] = ["stdout", "stderr", "events"];

/** A record as it is on disk. */
export interface StoredRecord {
  readonly channel: Channel;
  readonly payload: Buffer;
}

/** What stands before a record's bytes. */
export function recordHeader(channel: Channel, payload: Uint8Array): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt8(CHANNELS.indexOf(channel), CHECKSUM_BYTES);
  header.writeUInt32BE(payload.length, CHECKSUM_BYTES + 1);
  header.writeUInt32BE(crc32(payload, crc32(header.subarray(CHECKSUM_BYTES))), 0);
  return header;
}

/** The record at a position; undefined where it is damaged, or not whole. */
export function recordAt(bytes: Buffer, position: number): StoredRecord | undefined {
  const length = lengthAt(bytes, position);
  if (length === undefined) return undefined;
  const end = position + HEADER_BYTES + length;
  const checked = bytes.subarray(position + CHECKSUM_BYTES, end);
  if (crc32(checked) !== bytes.readUInt32BE(position)) return undefined;
  const channel = CHANNELS[bytes.readUInt8(position + CHECKSUM_BYTES)];
  return channel === undefined
    ? undefined
    : { channel, payload: bytes.subarray(position + HEADER_BYTES, end) };
}

/**
 * How many bytes of output the damaged record at a position had, where its length can be
 * believed: a good record follows it, or the end. Undefined where it can't.
 */
export function damagedLengthAt(bytes: Buffer, position: number): number | undefined {
  const length = lengthAt(bytes, position);
  if (length === undefined) return undefined;
  const next = position + HEADER_BYTES + length;
  return next === bytes.length || recordAt(bytes, next) !== undefined ? length : undefined;
}

/** Undefined where so much is not there. */
function lengthAt(bytes: Buffer, position: number): number | undefined {
  if (position + HEADER_BYTES > bytes.length) return undefined;
  const length = bytes.readUInt32BE(position + CHECKSUM_BYTES + 1);
  const isThere = length <= MAX_RECORD_BYTES && position + HEADER_BYTES + length <= bytes.length;
  return isThere ? length : undefined;
}
