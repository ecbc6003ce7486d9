import { create, type DescMessage, type MessageInitShape, type MessageShape } from "@bufbuild/protobuf";

/** The description of a message: a method's `input`, say. */
export type MessageType = DescMessage;

/** A message of that type. */
export type MessageOf<T extends MessageType> = MessageShape<T>;

/** What a message of that type is made of. */
export type MessageInit<T extends MessageType> = MessageInitShape<T>;

/** Makes a message. */
export function messageOf<T extends MessageType>(type: T, init: MessageInit<T>): MessageOf<T> {
  return create(type, init);
}

/** Whether a message of unknown type, as `Arrival` has it, is of this one. */
export function isMessageOf<T extends MessageType>(
  type: T,
  message: MessageOf<MessageType>,
): message is MessageOf<T> {
  return message.$typeName === type.typeName;
}
