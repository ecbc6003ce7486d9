import { randomUUID } from "node:crypto";
import { chainNext, chainStart } from "@cmdop/proto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Batch, ChainCheck, type Mark } from "./chain-check.ts";

/** A record as a relay stores it: its body, and the hash beside it. */
interface Stored {
  readonly record: Buffer;
  readonly hash: Uint8Array;
}

const chain = randomUUID();
const start = chainStart(chain);

function chained(bodies: readonly string[]): Stored[] {
  let hash = start;
  return bodies.map((body) => {
    hash = chainNext(hash, body);
    return { record: Buffer.from(body), hash };
  });
}

/** Yields records as a relay sends them: in batches of some size, numbered from `firstSeq`. */
function* batches(stored: readonly Stored[], size: number, firstSeq = 1, previous = start): Generator<Batch> {
  for (let from = 0; from < stored.length; from += size) {
    const some = stored.slice(from, from + size);
    yield {
      firstSeq: BigInt(firstSeq + from),
      previousHash: stored[from - 1]?.hash ?? previous,
      records: some.map(({ record }) => record),
      hashes: some.map(({ hash }) => hash),
    };
  }
}

function check(
  stored: readonly Stored[],
  marks: readonly Mark[],
  size = 3,
  first = 1,
  previous = start,
): ChainCheck {
  const checked = new ChainCheck(chain, marks);
  for (const batch of batches(stored, size, first, previous)) if (!checked.add(batch)) break;
  checked.finish();
  return checked;
}

const markAt = (stored: readonly Stored[], seq: number): Mark => ({
  seq,
  hash: Buffer.from(stored[seq - 1]?.hash ?? start).toString("base64url"),
  who: "Somebody",
});

const bodies = fc.uniqueArray(fc.string({ minLength: 1 }), { minLength: 2, maxLength: 30 });
const place = fc.nat();
const size = fc.integer({ min: 1, max: 10 });

describe("promise 8: a chain that nobody touched", () => {
  it("has no problems, however it is cut into batches and wherever it begins (fuzz)", () => {
    fc.assert(
      fc.property(bodies, size, place, (texts, batch, dropped) => {
        const all = chained(texts);
        const first = dropped % all.length;
        const marks = [markAt(all, all.length), markAt(all, first)];
        const kept = all.slice(first);
        const checked = check(kept, marks, batch, first + 1, all[first - 1]?.hash ?? start);
        expect(checked.problems).toEqual([]);
        expect(checked).toMatchObject({ first: first + 1, last: all.length, hash: marks[0]?.hash });
      }),
    );
  });

  it("may have no records at all", () => {
    expect(check([], [markAt([], 0)])).toMatchObject({ first: 0, last: 0, problems: [] });
  });
});

describe("promise 8: what was done to a chain is found", () => {
  /** Ways to tamper with the record at a place. The relay gives the numbers, so they leave no gap. */
  const DEEDS: Record<string, (stored: Stored[], at: number) => void> = {
    changed: (stored, at) => {
      const { hash = start } = stored[at] ?? {};
      stored[at] = { record: Buffer.from("something else entirely, and long"), hash };
    },
    removed: (stored, at) => void stored.splice(at, 1),
    inserted: (stored, at) => {
      const { hash = start } = stored[at] ?? {};
      stored.splice(at, 0, { record: Buffer.from("never happened, but here it is"), hash });
    },
    reordered: (stored, at) => void stored.splice((at + 1) % stored.length, 0, ...stored.splice(at, 1)),
  };

  it.each(Object.entries(DEEDS))("a record that was %s (fuzz)", (_name, deed) => {
    fc.assert(
      fc.property(bodies, size, place, (texts, batch, anywhere) => {
        const stored = chained(texts);
        const mark = markAt(stored, stored.length);
        deed(stored, anywhere % stored.length);
        expect(check(stored, [mark], batch).problems).not.toEqual([]);
      }),
    );
  });

  it("a change is found where it was made", () => {
    const stored = chained(["a", "b", "c", "d"]);
    DEEDS.changed?.(stored, 1);
    expect(check(stored, []).problems).toEqual([expect.stringMatching(/^Record 2 /)]);
  });

  it("an end that was cut off, by whoever vouches for it (fuzz)", () => {
    fc.assert(
      fc.property(bodies, size, place, (texts, batch, anywhere) => {
        const stored = chained(texts);
        const cut = anywhere % stored.length;
        const { problems } = check(stored.slice(0, cut), [markAt(stored, stored.length)], batch);
        expect(problems).toEqual([expect.stringContaining(`ends at ${cut}: its end was cut off`)]);
      }),
    );
  });

  it("a chain that was written anew, every hash right, by a mark within it (fuzz)", () => {
    fc.assert(
      fc.property(bodies, size, place, place, (texts, batch, anywhere, vouched) => {
        const marks = [markAt(chained(texts), texts.length)];
        const from = anywhere % texts.length;
        // A mark behind the place of the change reveals it.
        marks.push(markAt(chained(texts), from + 1 + (vouched % (texts.length - from))));
        const forged = chained(texts.with(from, "written by somebody else, from here on"));
        const { problems } = check([...forged, ...chained(["more"])], marks, batch);
        expect(problems.some((problem) => problem.startsWith("Somebody has another hash"))).toBe(true);
      }),
    );
  });

  it("a gap, a beginning that was replaced, and records that come twice", () => {
    const stored = chained(["a", "b", "c", "d"]);
    const gap = new ChainCheck(chain, []);
    for (const batch of batches(stored.slice(0, 1), 9)) gap.add(batch);
    for (const batch of batches(stored.slice(2), 9, 3, stored[1]?.hash)) gap.add(batch);
    expect(gap.problems).toEqual([expect.stringContaining("records 2 to 2 are missing")]);
    for (const batch of batches(stored, 9)) expect(gap.add(batch)).toBe(false);
    const other = check(stored, [], 9, 1, chainStart(randomUUID()));
    expect(other.problems).toEqual([expect.stringContaining("does not begin as its id says")]);
  });

  it("a beginning that is gone before anybody has verified it; what was verified may go", () => {
    const stored = chained(["a", "b", "c", "d"]);
    const beginningAt = (first: number): readonly string[] =>
      check(stored.slice(first - 1), [markAt(stored, 2)], 9, first, stored[first - 2]?.hash).problems;
    expect(beginningAt(4)).toEqual([expect.stringContaining("records 3 to 3 are gone")]);
    expect([...beginningAt(3), ...beginningAt(2)]).toEqual([]);
  });

  it("of a copy that lags behind, as its relay says, it says so, and accuses nobody yet", () => {
    const check = new ChainCheck(
      chain,
      [{ seq: 4, hash: "x", who: "The machine's own word" }],
      "its disk is full",
    );
    for (const batch of batches(chained(["a", "b"]), 9)) check.add(batch);
    check.finish();
    expect(check.problems).toEqual([expect.stringContaining("lags behind (its disk is full): verify again")]);
  });

  it("promise 9: lists only so many problems, and says how many more there are", () => {
    const stored = chained(Array.from({ length: 100 }, (_, index) => `record ${index}`));
    for (let at = 0; at < 100; at++) DEEDS.changed?.(stored, at);
    const { problems } = check(stored, []);
    expect(problems).toHaveLength(21);
    expect(problems.at(-1)).toBe("and 80 more problems");
  });
});
