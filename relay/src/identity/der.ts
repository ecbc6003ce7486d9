/**
 * The few forms of DER (ITU-T X.690) that a certificate needs. They are only written here; certificates from
 * outside are read by OpenSSL.
 */

const UNIVERSAL = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utf8String: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

/** Encodes one element: tag, length, content. */
export function tagged(tag: number, ...content: Uint8Array[]): Buffer {
  const body = Buffer.concat(content);
  return Buffer.concat([Buffer.of(tag), lengthOf(body.length), body]);
}

export const sequence = (...items: Uint8Array[]): Buffer => tagged(UNIVERSAL.sequence, ...items);
export const set = (...items: Uint8Array[]): Buffer => tagged(UNIVERSAL.set, ...items);
export const octetString = (bytes: Uint8Array): Buffer => tagged(UNIVERSAL.octetString, bytes);
export const utf8String = (text: string): Buffer => tagged(UNIVERSAL.utf8String, Buffer.from(text));
export const yes = (): Buffer => tagged(UNIVERSAL.boolean, Buffer.of(0xff));

/** Encodes a non-negative big-endian integer; a leading zero keeps a high bit from meaning a sign. */
export function integer(bytes: Uint8Array): Buffer {
  const firstUsed = bytes.findIndex((byte) => byte !== 0);
  const used = firstUsed === -1 ? Buffer.of(0) : bytes.subarray(firstUsed);
  return tagged(UNIVERSAL.integer, (used[0] ?? 0) > 0x7f ? Buffer.of(0) : Buffer.alloc(0), used);
}

/** Encodes bits, the most significant first; the last `unused` bits of the last byte do not count. */
export function bitString(bytes: Uint8Array, unused = 0): Buffer {
  return tagged(UNIVERSAL.bitString, Buffer.of(unused), bytes);
}

/** Encodes an object identifier from its dotted form. */
export function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  return tagged(UNIVERSAL.oid, Buffer.from([first * 40 + second, ...rest].flatMap(base128)));
}

/** Encodes a time to the second; years from 2050 on have another form (RFC 5280, 4.1.2.5). */
export function time(date: Date): Buffer {
  const digits = date.toISOString().replace(/\.\d+Z$|[-:T]/g, "");
  return date.getUTCFullYear() < 2050
    ? tagged(UNIVERSAL.utcTime, Buffer.from(`${digits.slice(2)}Z`))
    : tagged(UNIVERSAL.generalizedTime, Buffer.from(`${digits}Z`));
}

function lengthOf(length: number): Buffer {
  if (length < 0x80) return Buffer.of(length);
  const bytes: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return Buffer.from([0x80 | bytes.length, ...bytes]);
}

function base128(value: number): number[] {
  const bytes = [value % 128];
  for (let rest = Math.floor(value / 128); rest > 0; rest = Math.floor(rest / 128))
    bytes.unshift((rest % 128) | 0x80);
  return bytes;
}
