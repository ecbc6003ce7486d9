import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";

/** How one message type goes to bytes and back. */
export interface Codec<D extends DescMessage> {
  serialize(message: MessageInitShape<D>): Buffer;
  deserialize(bytes: Buffer): MessageShape<D>;
}

/** The codec of a message. Unknown fields are dropped: nothing here forwards decoded messages. */
export function codec<D extends DescMessage>(schema: D): Codec<D> {
  return {
    serialize(message) {
      const bytes = toBinary(schema, create(schema, message));
      return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    },
    deserialize: (bytes) => fromBinary(schema, bytes, { readUnknownFields: false }),
  };
}
