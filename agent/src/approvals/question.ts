import { isUtf8 } from "node:buffer";
import { createHash, type Hash } from "node:crypto";
import {
  Agent,
  Exec,
  Files,
  isMessageOf,
  type MessageOf,
  type MessageType,
  Sessions,
  visible,
} from "@cmdop/proto";
import { describe, quoted } from "../audit/describe.ts";

/**
 * What a person is shown of a call that waits. It says more than the audit
 * keeps: values of variables and input decide what runs as much as the command
 * does (`sh` with a script on its input, PATH), so nobody could approve without
 * them, and so do the few words that an edit replaces. Content of whole files is
 * named by its hash, to be compared; what is still to come is said to be.
 */
export function questionText(path: string, request: MessageOf<MessageType>): string {
  const lines = [describe(path, request)];
  if (isMessageOf(Exec.method.start.input, request)) {
    const { env, stdin, stdinOpen } = request;
    lines.push(...variables(env));
    if (stdin.length > 0) lines.push(`input: ${content(stdin)}`);
    if (stdinOpen) lines.push("input stays open: whatever its caller sends later");
  } else if (isMessageOf(Sessions.method.create.input, request)) {
    lines.push(...variables(request.env), "whatever its caller types later");
  } else if (isMessageOf(Files.method.write.input, request)) {
    lines.push(`content: ${request.content.length} bytes, SHA-256 ${sha256(request.content)}`);
  } else if (isMessageOf(Files.method.edit.input, request)) {
    lines.push(`old: ${content(request.old)}`, `new: ${content(request.new)}`);
  } else if (isMessageOf(Files.method.writeStream.input, request)) {
    lines.push("content: whatever its caller sends");
  }
  return lines.filter((line) => line !== "").join("; ");
}

/**
 * What tells a request from every other of its method: all that it says, but
 * for where in its output a retry wants to go on reading.
 */
export function requestHash(request: MessageOf<MessageType>): string {
  const hash = createHash("sha256");
  const start = isMessageOf(Exec.method.start.input, request) || isMessageOf(Agent.method.run.input, request);
  addTo(hash, start ? { ...request, after: 0n } : request);
  return hash.digest("base64url");
}

/** Each value with its kind and length before it, so that no two requests look the same. */
function addTo(hash: Hash, value: unknown): void {
  if (value instanceof Uint8Array) {
    hash.update(`bytes ${value.length}:`).update(value);
  } else if (Array.isArray(value)) {
    hash.update(`list ${value.length}:`);
    for (const item of value) addTo(hash, item);
  } else if (typeof value === "object" && value !== null) {
    const fields = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
    hash.update(`object ${fields.length}:`);
    for (const [name, field] of fields) {
      addTo(hash, name);
      addTo(hash, field);
    }
  } else {
    const text = String(value);
    hash.update(`${typeof value} ${Buffer.byteLength(text)}:${text}`);
  }
}

function variables(env: Readonly<Record<string, string>>): string[] {
  return Object.entries(env).map(([name, value]) => visible(`${quoted(name)}=${quoted(value)}`));
}

function content(bytes: Uint8Array): string {
  return isUtf8(bytes)
    ? visible(quoted(Buffer.from(bytes).toString()))
    : `${bytes.length} bytes that are no text, in hexadecimal ${Buffer.from(bytes).toString("hex")}`;
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
