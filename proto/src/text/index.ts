/** Detection and decoding of text, without the rest of this package, for threads that must start quickly. */
export { DETECT_BYTES, detectText } from "./detect.ts";
export type { TextEncodingName } from "./encodings.ts";
export { readable } from "./readable.ts";
