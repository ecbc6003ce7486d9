/** A run of UTF-8, or one byte that is not part of one. */
export type Utf8Piece =
  | { readonly text: string; readonly byte?: undefined }
  | { readonly byte: number; readonly offset: number; readonly text?: undefined };

/**
 * Yields the longest runs of UTF-8, and between them each byte that is not UTF-8, in one pass. `alsoNul`: a
 * NUL counts as such a byte.
 */
export function* utf8Pieces(bytes: Buffer, alsoNul = false): Generator<Utf8Piece> {
  let from = 0;
  for (let at = 0; at < bytes.length; ) {
    const length = alsoNul && bytes[at] === 0 ? 0 : characterLength(bytes, at);
    if (length > 0) {
      at += length;
      continue;
    }
    if (at > from) yield { text: bytes.toString("utf8", from, at) };
    yield { byte: bytes[at] ?? 0, offset: at };
    at += 1;
    from = at;
  }
  if (bytes.length > from) yield { text: bytes.toString("utf8", from) };
}

/** Returns the bytes of the character that begins here; 0 if none does. */
export function characterLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at] ?? 0xff;
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return 0;
  const second = bytes[at + 1] ?? 0;
  // Overlong forms, surrogates and values beyond Unicode can be recognised by the second byte.
  const [low, high] = SECOND_BYTES.get(first) ?? ANY;
  if (second < low || second > high) return 0;
  if (first < 0xe0) return 2;
  if (!continues(bytes[at + 2])) return 0;
  if (first < 0xf0) return 3;
  return continues(bytes[at + 3]) ? 4 : 0;
}

const ANY = [0x80, 0xbf] as const;
const SECOND_BYTES: ReadonlyMap<number, readonly [number, number]> = new Map([
  [0xe0, [0xa0, 0xbf]],
  [0xed, [0x80, 0x9f]],
  [0xf0, [0x90, 0xbf]],
  [0xf4, [0x80, 0x8f]],
]);

function continues(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x80 && byte <= 0xbf;
}

/** Returns the number of bytes at the end that begin an incomplete character. */
export function openBytes(bytes: Uint8Array): number {
  for (let begun = 1; begun <= Math.min(3, bytes.length); begun += 1) {
    const byte = bytes[bytes.length - begun] ?? 0;
    if (byte >= 0x80 && byte <= 0xbf) continue;
    const length = byte < 0xc2 || byte > 0xf4 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
    return length > begun ? begun : 0;
  }
  return 0;
}
