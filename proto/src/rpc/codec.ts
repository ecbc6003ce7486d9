import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  ScalarType,
  toBinary,
} from "@bufbuild/protobuf";
import { prefixOf } from "./frame.ts";

/** Content of so many bytes goes to the wire as it lies in memory; less is cheaper to copy. */
export const MIN_UNCOPIED_BYTES = 64 * 1024;

/** Bytes of the longest variable-length number that says how long a field is. */
const MAX_LENGTH_BYTES = 5;

/** Length-delimited, in the words of protobuf's wire format. */
const WIRE_TYPE_BYTES = 2;

/** How one message type goes to bytes and back. */
export interface Codec<D extends DescMessage> {
  serialize(message: MessageInitShape<D>): Buffer;
  /** The message as it goes on the wire, its prefix first. Large content is not copied: it may not change until it is sent. */
  frame(message: MessageInitShape<D>): Buffer[];
  deserialize(bytes: Buffer): MessageShape<D>;
}

/** The codec of a message. Unknown fields are dropped: nothing here forwards decoded messages. */
export function codec<D extends DescMessage>(schema: D): Codec<D> {
  const contentTag = tagOfContent(schema);
  const serialize = (message: MessageInitShape<D>): Buffer => {
    const bytes = toBinary(schema, create(schema, message));
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  };
  return {
    serialize,
    frame(message) {
      const content = contentTag === undefined ? undefined : contentAlone(message);
      if (contentTag !== undefined && content !== undefined) return framedContent(contentTag, content);
      const body = serialize(message);
      return [prefixOf(body.length), body];
    },
    deserialize: (bytes) => fromBinary(schema, bytes, { readUnknownFields: false }),
  };
}

/** What stands before the field `data` of a message that has one. */
function tagOfContent(schema: DescMessage): number | undefined {
  const field = schema.field.data;
  const isContent = field?.fieldKind === "scalar" && field.scalar === ScalarType.BYTES;
  // One byte holds the first 15 fields.
  return isContent && field.number < 16 ? (field.number << 3) | WIRE_TYPE_BYTES : undefined;
}

/** The content of a message that has much of it, and nothing else. */
function contentAlone(message: object): Buffer | undefined {
  const data: unknown = Reflect.get(message, "data");
  if (!(data instanceof Uint8Array) || data.length < MIN_UNCOPIED_BYTES) return undefined;
  for (const name in message) if (name !== "data") return undefined;
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}

function framedContent(tag: number, content: Buffer): Buffer[] {
  const head: number[] = [tag];
  let length = content.length;
  for (; length > 127; length >>>= 7) head.push((length & 127) | 128);
  head.push(length);
  if (head.length > 1 + MAX_LENGTH_BYTES) throw new RangeError("content of more than 4 GiB");
  return [Buffer.concat([prefixOf(head.length + content.length), Buffer.from(head)]), content];
}
