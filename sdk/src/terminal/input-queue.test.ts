import { CmdopError, INPUT_CHUNK_BYTES } from "@cmdop/proto";
import { describe, expect, it } from "vitest";
import { type InputPiece, InputQueue } from "./input-queue.ts";

/** Wait that is long enough for every test, in milliseconds. */
const LONG_MS = 60_000;

const bytes = (text: string): Uint8Array => Buffer.from(text);
const shown = ({ offset, data, eof }: InputPiece) => [offset, Buffer.from(data).toString(), eof];

/** Returns the pieces that one stream would send until it has nothing more. */
async function sent(queue: InputQueue): Promise<unknown[]> {
  const pieces: unknown[] = [];
  for await (const piece of queue.toSend(new AbortController().signal, 0)) pieces.push(shown(piece));
  return pieces;
}

function newQueue(): { queue: InputQueue; told: () => number } {
  let pieces = 0;
  const queue = new InputQueue(() => {
    pieces += 1;
  });
  return { queue, told: () => pieces };
}

describe("input on its way", () => {
  it("each piece has the offset of its first byte, and its sender is told of it", async () => {
    const { queue, told } = newQueue();
    await Promise.all([queue.add(bytes("one")), queue.add(bytes("two"), true)]);
    expect(told()).toBe(2);
    expect(await sent(queue)).toEqual([
      [0n, "one", false],
      [3n, "two", true],
    ]);
  });

  it("what is too large for a message is sent in several", async () => {
    const { queue } = newQueue();
    await queue.add(new Uint8Array(INPUT_CHUNK_BYTES + 1), true);
    const stream = queue.toSend(new AbortController().signal, LONG_MS);
    const [first, second] = [await stream.next(), await stream.next()];
    expect(first.value).toMatchObject({ offset: 0n, eof: false });
    expect(second.value).toMatchObject({ offset: BigInt(INPUT_CHUNK_BYTES), eof: true });
    expect((await stream.next()).done).toBe(true);
  });

  it("a new stream begins with what was not accepted", async () => {
    const { queue } = newQueue();
    const [[first], [second]] = await Promise.all([queue.add(bytes("one")), queue.add(bytes("two"))]);
    const stream = queue.toSend(new AbortController().signal, LONG_MS);
    await stream.next();
    await stream.next();
    queue.accept(3n, 100n);
    expect(first?.outputEnd).toBe(100n);
    expect(second).toMatchObject({ wasSent: true, outputEnd: undefined });
    const again = queue.toSend(new AbortController().signal, LONG_MS);
    expect((await again.next()).value).toBe(second);
  });

  it("a stream that is over takes nothing away from the next", async () => {
    const { queue } = newQueue();
    const over = new AbortController();
    const lost = queue.toSend(over.signal, LONG_MS).next();
    over.abort();
    expect((await lost).done).toBe(true);
    await queue.add(bytes("x"));
    expect((await queue.toSend(new AbortController().signal, LONG_MS).next()).value).toMatchObject({
      offset: 0n,
    });
  });

  it("end of file alone is a piece, and is accepted by its own answer", async () => {
    const { queue } = newQueue();
    await queue.add(bytes("x"));
    const [end] = await queue.add(new Uint8Array(), true);
    queue.accept(1n, 0n);
    expect(queue.isEmpty).toBe(false);
    queue.accept(1n, 0n);
    expect(queue.isEmpty).toBe(true);
    expect(end).toMatchObject({ offset: 1n, eof: true, outputEnd: 0n });
  });

  it("an answer that accepts less than was sent ends the stream", async () => {
    const { queue } = newQueue();
    await queue.add(bytes("one"));
    expect(() => queue.accept(2n, 0n)).toThrow(expect.objectContaining({ code: "LinkLost" }));
    expect(queue.isEmpty).toBe(false);
  });

  it("an idle stream ends, one that waits for an answer does not", async () => {
    const { queue } = newQueue();
    expect(await sent(queue)).toEqual([]);
    await queue.add(bytes("x"));
    const stream = queue.toSend(new AbortController().signal, 0);
    await stream.next();
    const end = stream.next();
    const none = new Promise((resolve) => setTimeout(resolve, 20, "nothing"));
    expect(await Promise.race([end, none])).toBe("nothing");
    queue.accept(1n, 0n);
    expect((await end).done).toBe(true);
  });

  it("promise 9: what is not accepted is bounded: the next piece waits", async () => {
    const { queue, told } = newQueue();
    const added = queue.add(new Uint8Array(3 * 1024 * 1024));
    await new Promise((resolve) => setImmediate(resolve));
    expect(told()).toBe((1024 * 1024) / INPUT_CHUNK_BYTES);
    for (let accepted = 1; accepted <= 48; accepted += 1) {
      queue.accept(BigInt(accepted * INPUT_CHUNK_BYTES), 0n);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await added).toHaveLength(48);
  });

  it("a failure reaches everyone who waits, and everyone who comes", async () => {
    const { queue } = newQueue();
    const [piece] = await queue.add(bytes("x"));
    if (piece === undefined) throw new TypeError("no piece");
    const waiting = queue.accepted(piece);
    queue.fail(new CmdopError("JobEnded", "over"));
    await expect(waiting).rejects.toMatchObject({ code: "JobEnded" });
    await expect(queue.add(bytes("y"))).rejects.toMatchObject({ code: "JobEnded" });
    expect(queue.isEmpty).toBe(true);
  });
});
