import { type DescField, ScalarType } from "@bufbuild/protobuf";
import type { MessageOf, MessageType } from "./message-of.ts";

/** Proto3's word for fields that are always there: their zero says nothing. */
const ALWAYS_THERE = 2;

/** What a field of a message says, in the message's own terms: nothing in its content can pass for another field. */
export type MessageField =
  | { readonly name: string; readonly kind: "text"; readonly value: string }
  | { readonly name: string; readonly kind: "bytes"; readonly value: Uint8Array }
  | { readonly name: string; readonly kind: "list"; readonly values: readonly unknown[] }
  | { readonly name: string; readonly kind: "map"; readonly values: Readonly<Record<string, unknown>> };

/**
 * All that a message says, field by field: what is zero, or empty, is left out
 * where that means nothing. A message within it, or one of several, says its own
 * fields. Texts are as they came; numbers and yes are written out.
 */
export function* messageFields<T extends MessageType>(
  type: T,
  message: MessageOf<T>,
): Generator<MessageField> {
  for (const member of type.members) {
    const value: unknown = Reflect.get(message, member.localName);
    if (member.kind === "field") {
      yield* fieldOf(member, value);
      continue;
    }
    const field = isChoice(value)
      ? member.fields.find(({ localName }) => localName === value.case)
      : undefined;
    if (field !== undefined && isChoice(value)) yield* fieldOf(field, value.value);
  }
}

function* fieldOf(field: DescField, value: unknown): Generator<MessageField> {
  const { localName: name } = field;
  if (value === undefined) return;
  switch (field.fieldKind) {
    case "list":
      if (Array.isArray(value) && value.length > 0) yield { name, kind: "list", values: value };
      return;
    case "map":
      if (isRecord(value)) yield { name, kind: "map", values: value };
      return;
    case "message":
      if (isMessage(value)) yield* messageFields(field.message, value);
      return;
    case "enum":
      if (value === 0) return;
      yield { name, kind: "text", value: enumText(field.enum.value[Number(value)]?.localName, value) };
      return;
    case "scalar": {
      const isZero = value === 0 || value === 0n || value === false || value === "";
      const isEmpty = isZero || (value instanceof Uint8Array && value.length === 0);
      if (isEmpty && field.presence === ALWAYS_THERE && field.oneof === undefined) return;
      if (value instanceof Uint8Array) yield { name, kind: "bytes", value };
      else
        yield {
          name,
          kind: "text",
          value: field.scalar === ScalarType.BOOL ? yesOrNo(value) : String(value),
        };
    }
  }
}

function enumText(name: string | undefined, value: unknown): string {
  return name?.toLowerCase() ?? `unknown (${String(value)})`;
}

function yesOrNo(value: unknown): string {
  return value === true ? "yes" : "no";
}

function isChoice(value: unknown): value is { readonly case: unknown; readonly value: unknown } {
  return typeof value === "object" && value !== null && "case" in value && "value" in value;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

function isMessage(value: unknown): value is MessageOf<MessageType> {
  return isRecord(value) && typeof value.$typeName === "string";
}
