/** What texts are made of, without the rest of this package: for threads that begin quickly. */
export { DETECT_BYTES, detectText } from "./detect.ts";
export type { TextEncodingName } from "./encodings.ts";
export { readable } from "./readable.ts";
