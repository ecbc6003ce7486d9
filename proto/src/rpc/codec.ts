import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  ScalarType,
  toBinary,
} from "@bufbuild/protobuf";
import { FeatureSet_FieldPresence } from "@bufbuild/protobuf/wkt";
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
  /** The message in pieces, of which large content is one: it is not copied, so it may not change until it is sent. */
  pieces(message: MessageInitShape<D>): Buffer[];
  /** The same as it goes on the wire, its prefix first. */
  frame(message: MessageInitShape<D>): Buffer[];
  deserialize(bytes: Buffer): MessageShape<D>;
}

/** The codec of a message. Unknown fields are dropped: nothing here forwards decoded messages. */
export function codec<D extends DescMessage>(schema: D): Codec<D> {
  const content = contentOf(schema);
  const serialize = (message: MessageInitShape<D>): Buffer => {
    const bytes = toBinary(schema, create(schema, message));
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  };
  const pieces = (message: MessageInitShape<D>): Buffer[] => {
    const alone = content === undefined ? undefined : contentAlone(message, content);
    return alone === undefined || content === undefined
      ? [serialize(message)]
      : [headOfContent(content.tag, alone.length), alone];
  };
  return {
    serialize,
    pieces,
    frame(message) {
      const [first = Buffer.alloc(0), ...rest] = pieces(message);
      const length = rest.reduce((sum, piece) => sum + piece.length, first.length);
      // Beside content, prefix and head are one small piece.
      return rest.length === 0
        ? [prefixOf(length), first]
        : [Buffer.concat([prefixOf(length), first]), ...rest];
    },
    deserialize: (bytes) => fromBinary(schema, bytes, { readUnknownFields: false }),
  };
}

/** The field `data` of a message that has one. */
interface Content {
  /** What stands before it on the wire. */
  readonly tag: number;
  /** The fields beside it that are not on the wire while they have their default. */
  readonly implicit: ReadonlySet<string>;
}

function contentOf(schema: DescMessage): Content | undefined {
  const field = schema.field.data;
  const isContent = field?.fieldKind === "scalar" && field.scalar === ScalarType.BYTES;
  // One byte holds the first 15 fields.
  if (!isContent || field.number >= 16) return undefined;
  const implicit = schema.fields.filter(({ presence }) => presence === FeatureSet_FieldPresence.IMPLICIT);
  return {
    tag: (field.number << 3) | WIRE_TYPE_BYTES,
    implicit: new Set(implicit.map(({ localName }) => localName)),
  };
}

/** The content of a message, made or received, that has much of it and nothing else. */
function contentAlone(message: object, { implicit }: Content): Buffer | undefined {
  const data: unknown = Reflect.get(message, "data");
  if (!(data instanceof Uint8Array) || data.length < MIN_UNCOPIED_BYTES) return undefined;
  for (const name of Object.keys(message)) {
    if (name === "data" || name.startsWith("$")) continue;
    const value: unknown = Reflect.get(message, name);
    if (value !== undefined && !(value === false && implicit.has(name))) return undefined;
  }
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}

function headOfContent(tag: number, contentBytes: number): Buffer {
  const head: number[] = [tag];
  let length = contentBytes;
  for (; length > 127; length >>>= 7) head.push((length & 127) | 128);
  head.push(length);
  if (head.length > 1 + MAX_LENGTH_BYTES) throw new RangeError("content of more than 4 GiB");
  return Buffer.from(head);
}
