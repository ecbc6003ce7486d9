import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MessageSplitter, prefixOf } from "./frame.ts";

const MAX_BYTES = 3 * 1024 * 1024;

/** The stream of these messages, cut into chunks of these lengths, the last one over and over. */
function chunksOf(messages: readonly Buffer[], lengths: readonly number[]): Buffer[] {
  const stream = Buffer.concat(messages.flatMap((message) => [prefixOf(message.length), message]));
  const chunks: Buffer[] = [];
  for (let at = 0, cut = 0; at < stream.length; cut++) {
    const length = lengths[Math.min(cut, lengths.length - 1)] ?? 1;
    chunks.push(stream.subarray(at, at + length));
    at += length;
  }
  return chunks;
}

describe("MessageSplitter", () => {
  it("gives the messages that were sent, however their stream is cut up, its memory used again or not (fuzz)", () => {
    const message = fc
      .record({ length: fc.oneof(fc.nat(300), fc.nat(2_000_000)), fill: fc.nat(255) })
      .map(({ length, fill }) => Buffer.alloc(length, fill));
    const cuts = fc.array(fc.integer({ min: 1, max: 70_000 }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(fc.array(message, { maxLength: 6 }), cuts, fc.boolean(), (messages, lengths, recycles) => {
        let next = 0;
        const splitter: MessageSplitter = new MessageSplitter(MAX_BYTES, (body) => {
          expect(Buffer.compare(body, messages[next] ?? Buffer.alloc(0))).toBe(0);
          next += 1;
          if (recycles) splitter.recycle(body);
        });
        for (const chunk of chunksOf(messages, lengths)) splitter.push(chunk);
        expect(next).toBe(messages.length);
        expect(splitter.isAmidMessage).toBe(false);
      }),
      { numRuns: 60 },
    );
  });

  it("never writes into the stream's own chunks, though a message that came whole is given back", () => {
    const first = Buffer.alloc(100_000, 1);
    const second = Buffer.alloc(100_000, 2);
    const stream = Buffer.concat([prefixOf(first.length), first]);
    const splitter: MessageSplitter = new MessageSplitter(MAX_BYTES, (body) => splitter.recycle(body));
    splitter.push(stream);
    for (const chunk of chunksOf([second], [60_000])) splitter.push(chunk);
    expect(Buffer.compare(stream.subarray(5), first)).toBe(0);
  });

  it("refuses what is longer than it may be, before any of it has come", () => {
    const splitter = new MessageSplitter(MAX_BYTES, () => undefined);
    expect(() => splitter.push(prefixOf(MAX_BYTES + 1))).toThrow(
      expect.objectContaining({ code: "MessageTooLarge" }),
    );
  });

  it("refuses compressed messages", () => {
    const splitter = new MessageSplitter(MAX_BYTES, () => undefined);
    expect(() => splitter.push(Buffer.of(1, 0, 0, 0, 1, 0))).toThrow(
      expect.objectContaining({ code: "Unimplemented" }),
    );
  });

  it("gives a message that is only announced no more memory than its first room", () => {
    const before = process.memoryUsage().arrayBuffers;
    const splitters = Array.from({ length: 100 }, () => {
      const splitter = new MessageSplitter(MAX_BYTES, () => undefined);
      splitter.push(prefixOf(MAX_BYTES));
      return splitter;
    });
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1024 * 1024);
    expect(splitters.every(({ isAmidMessage }) => isAmidMessage)).toBe(true);
  });
});
