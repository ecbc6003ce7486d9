/** Bytes as a Buffer of the same memory: so that all that the SDK gives has one form in JSON. */
export function asBuffer({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}
