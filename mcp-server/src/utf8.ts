/** Bytes of an incomplete character that a cut may leave at either side: a character has four at most. */
export const MAX_BROKEN_BYTES = 3;

const WHOLE = { begun: 0, missing: 0 };

/** The text, or undefined where the bytes are not UTF-8 or hold a NUL, which no text file does. */
export function textOf(bytes: Uint8Array): string | undefined {
  if (bytes.includes(0)) return undefined;
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

/** How many bytes at the beginning belong to a character that began before. */
export function brokenStart(bytes: Uint8Array): number {
  let count = 0;
  while (count < MAX_BROKEN_BYTES && isContinuation(bytes[count])) count += 1;
  return count;
}

/** How many bytes at the end belong to a character that would have gone on. */
export function brokenEnd(bytes: Uint8Array): number {
  return openCharacter(bytes).begun;
}

/** The character that these bytes leave open at their end: how many bytes it has and how many are missing. */
export function openCharacter(bytes: Uint8Array): { readonly begun: number; readonly missing: number } {
  for (let begun = 1; begun <= Math.min(MAX_BROKEN_BYTES, bytes.length); begun += 1) {
    const byte = bytes[bytes.length - begun];
    if (isContinuation(byte)) continue;
    const missing = characterBytes(byte) - begun;
    return missing > 0 ? { begun, missing } : WHOLE;
  }
  return WHOLE;
}

function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0b1100_0000) === 0b1000_0000;
}

function characterBytes(lead: number | undefined): number {
  if (lead === undefined || lead < 0b1100_0000 || lead >= 0b1111_1000) return 1;
  if (lead < 0b1110_0000) return 2;
  return lead < 0b1111_0000 ? 3 : 4;
}
