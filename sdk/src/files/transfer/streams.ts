import { once } from "node:events";
import type { Writable } from "node:stream";
import { CmdopError } from "@cmdop/proto";
import type { Content, Source, Target } from "./types.ts";

/** Returns a stream as a source, which can be read only once and from its beginning. */
export function streamSource(stream: AsyncIterable<Uint8Array>): Source {
  let isBegun = false;
  const content: Content = {
    path: "the stream",
    size: undefined,
    mode: undefined,
    mtimeMs: undefined,
    identity: undefined,
    async *read(from) {
      if (isBegun || from !== 0) {
        throw new CmdopError("OutcomeUnknown", "The connection broke, and a stream can't be read again.", {
          next: "Upload a file instead, which is resumed; what was there before is unchanged unless all had arrived.",
        });
      }
      isBegun = true;
      yield* stream;
    },
    finish: async () => undefined,
    [Symbol.asyncDispose]: async () => undefined,
  };
  return {
    path: content.path,
    isSeveral: false,
    facts: async () => ({ type: "file", size: 0, mode: 0, mtimeMs: 0 }),
    tree: noTree,
    open: async () => content,
  };
}

/**
 * Returns a stream as a target. Its reader gets the bytes before their hash is known; an error means that
 * they are incomplete or wrong.
 */
export function streamTarget(stream: Writable): Target {
  return {
    path: undefined,
    directory: noTree,
    finishDirectory: noTree,
    link: noTree,
    async file(_path, content, { signal, passed }) {
      for await (const piece of content.read(0)) {
        signal?.throwIfAborted();
        if (!stream.write(piece)) await once(stream, "drain", { signal });
        passed(piece.length);
      }
      return (await content.finish()) ?? new Uint8Array();
    },
  };
}

async function noTree(): Promise<never> {
  throw new CmdopError("InvalidArgument", "A stream holds one file, not a directory.");
}
