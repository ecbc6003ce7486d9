import { createHash } from "node:crypto";
import { setImmediate as turn } from "node:timers/promises";
import { Agent, Exec, isMessageOf, type MessageOf, type MessageType } from "@cmdop/proto";
import type { Resource } from "../policy/authorize.ts";
import type { Caller } from "../policy/caller.ts";

/** Bytes that are hashed without a pause. They take about a millisecond, in which nobody else is served. */
const SLICE_BYTES = 1024 * 1024;

/** A call as it would be carried out, to which an approval is bound. */
export interface Bound {
  /** The method's path. */
  readonly path: string;
  readonly request: MessageOf<MessageType>;
  readonly caller: Caller;
  /** Objects that the gate has found in the request. */
  readonly resource: Resource;
  /** The user that jobs run as, if the policy names one. */
  readonly user: string | undefined;
}

/**
 * Returns a hash that identifies a call, as SHA-256 in hexadecimal. It covers the method, the whole request
 * except the output position at which a retry reads on, the caller and its limits, the programs that are
 * started, and the user that runs them.
 */
export function boundHash({ path, request, caller, resource, user = "" }: Bound): Promise<string> {
  const { door, keyId, scopes, roots } = caller;
  const starts =
    isMessageOf(Exec.method.start.input, request) || isMessageOf(Agent.method.run.input, request);
  const said = starts ? { ...request, after: 0n } : request;
  const who = { door, keyId, scopes: [...scopes].sort(), roots: roots.map((list) => [...list]) };
  return sha256(pieces([path, said, who, resource, user]));
}

/**
 * Returns the SHA-256 in hexadecimal. Large content is hashed in slices, and others are served between them.
 */
export async function sha256(content: Iterable<string | Uint8Array>): Promise<string> {
  const hash = createHash("sha256");
  let left = SLICE_BYTES;
  for (const piece of content) {
    for (let from = 0; from < piece.length; from += SLICE_BYTES) {
      const slice = typeof piece === "string" ? piece : piece.subarray(from, from + SLICE_BYTES);
      hash.update(slice);
      left -= slice.length;
      if (left <= 0) {
        left = SLICE_BYTES;
        await turn();
      }
      // A text is hashed whole: a cut could split a character.
      if (typeof piece === "string") break;
    }
  }
  return hash.digest("hex");
}

/** Serializes a value, each part with its kind and length, so that no two values look the same. */
function* pieces(value: unknown): Generator<string | Uint8Array> {
  if (value instanceof Uint8Array) {
    yield `bytes ${value.length}:`;
    yield value;
  } else if (Array.isArray(value)) {
    yield `list ${value.length}:`;
    for (const item of value) yield* pieces(item);
  } else if (typeof value === "object" && value !== null) {
    const fields = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
    yield `object ${fields.length}:`;
    for (const [name, field] of fields) {
      yield* pieces(name);
      yield* pieces(field);
    }
  } else {
    const text = String(value);
    yield `${typeof value} ${Buffer.byteLength(text)}:`;
    yield text;
  }
}
