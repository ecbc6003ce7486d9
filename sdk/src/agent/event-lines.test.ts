import { type RunEvent, runEventLine } from "@cmdop/proto";
import fc from "fast-check";
import { expect, it } from "vitest";
import { EventLines } from "./event-lines.ts";

const textEvent = (text: string): RunEvent => ({ type: "text", text });

const read = (pieces: readonly Uint8Array[], from = 0n) => {
  const lines = new EventLines();
  let offset = from;
  return pieces.flatMap((piece) => {
    const events = [...lines.add(offset, piece)];
    offset += BigInt(piece.length);
    return events;
  });
};

it("promise 3: events come whole and once, wherever the pieces begin and end", () => {
  const texts = fc.array(fc.string({ unit: "binary" }), { maxLength: 8 });
  const cuts = fc.array(fc.nat(), { maxLength: 8 });
  fc.assert(
    fc.property(texts, cuts, (all, places) => {
      const bytes = Buffer.concat(all.map((text) => Buffer.from(runEventLine(textEvent(text)))));
      const ends = [...places.map((place) => place % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
      const pieces = ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
      const found = read(pieces);
      expect(found.map(({ type, ...event }) => ("text" in event ? event.text : type))).toEqual(
        all.map((text) => text.toWellFormed()),
      );
      // Resuming behind any event gives the rest.
      for (const [index, { after }] of found.entries()) {
        expect(read([bytes.subarray(after)], BigInt(after))).toEqual(found.slice(index + 1));
      }
    }),
  );
});

it("what is no event that this version knows is left out; so is what a gap has cut", () => {
  const known = Buffer.from(runEventLine(textEvent("known")));
  const strange = Buffer.from('{"type": "telepathy"}\n{"type": "text"}\nnot JSON\n');
  expect(read([strange, known]).map(({ type }) => type)).toEqual(["text"]);
  const lines = new EventLines();
  expect([...lines.add(0n, known.subarray(0, 10))]).toEqual([]);
  lines.reset();
  const rest = Buffer.concat([known.subarray(20), known]);
  expect([...lines.add(20n, rest)]).toEqual([{ type: "text", text: "known", after: 20 + rest.length }]);
});
