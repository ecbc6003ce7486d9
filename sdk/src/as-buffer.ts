/** Returns bytes as a Buffer over the same memory, so that all bytes from the SDK have one form in JSON. */
export function asBuffer({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}
