import type { DescMessage, MessageShape } from "@bufbuild/protobuf";

/** The description of a message: a method's `input`, say. */
export type MessageType = DescMessage;

/** A message of that type. */
export type MessageOf<T extends MessageType> = MessageShape<T>;

/** Whether a message of unknown type, as `Arrival` has it, is of this one. */
export function isMessageOf<T extends MessageType>(
  type: T,
  message: MessageOf<MessageType>,
): message is MessageOf<T> {
  return message.$typeName === type.typeName;
}
