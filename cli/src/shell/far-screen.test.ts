import { CmdopError } from "@cmdop/sdk";
import { describe, expect, it, vi } from "vitest";
import { FarScreen } from "./far-screen.ts";

/** Makes a session that records its sizes. */
function farSide(answer: () => Promise<void> = async () => undefined) {
  const sizes: string[] = [];
  const failures: unknown[] = [];
  const ours = { cols: 80, rows: 24 };
  const screen = { lines: ["first", "second"], rows: 24 };
  const rest = { text: "", cursor: { col: 0, row: 0 }, cols: 80, title: "", alternate: false };
  const session = {
    screen: async () => ({ ...rest, ...screen }),
    resize: (cols: number, rows: number): Promise<void> => {
      sizes.push(`${cols}x${rows}`);
      return answer();
    },
  };
  return {
    screen,
    sizes,
    failures,
    ours,
    far: new FarScreen(
      session,
      () => ours,
      (thrown) => failures.push(thrown),
    ),
  };
}

describe("the screen of the far side", () => {
  it("is of our size", async () => {
    const { far, sizes } = farSide();
    far.fit();
    await vi.waitFor(() => expect(sizes).toEqual(["80x24"]));
  });

  it("gets its size one call at a time, the newest size last", async () => {
    const first = Promise.withResolvers<void>();
    const { far, sizes, ours } = farSide(() => first.promise);
    far.fit();
    await vi.waitFor(() => expect(sizes).toEqual(["80x24"]));
    far.fit();
    ours.cols = 100;
    first.resolve();
    await vi.waitFor(() => expect(sizes).toEqual(["80x24", "100x24"]));
  });

  it("has another size for a moment where programs shall draw anew", async () => {
    const { far, sizes } = farSide();
    far.nudge();
    await vi.waitFor(() => expect(sizes).toEqual(["80x23", "80x24"]));
  });

  it("is read row by row behind what was asked before, while its size is ours", async () => {
    const { far, sizes, screen } = farSide();
    const read: string[] = [];
    far.fit();
    far.readRow(2, (text) => read.push(text, ...sizes));
    await vi.waitFor(() => expect(read).toEqual(["second", "80x24"]));
    screen.rows = 10;
    far.readRow(1, (text) => read.push(text));
    far.fit();
    await vi.waitFor(() => expect(sizes).toHaveLength(2));
    expect(read).toHaveLength(2);
  });

  it.each([
    ["LinkLost", 0],
    ["JobEnded", 0],
    ["PermissionDenied", 1],
  ] as const)("that can't be resized because of %s: %i failures are told", async (code, told) => {
    const { far, sizes, failures } = farSide(async () => {
      throw new CmdopError(code, "scripted");
    });
    far.fit();
    far.fit();
    await vi.waitFor(() => expect(sizes).toHaveLength(2));
    await vi.waitFor(() => expect(failures).toHaveLength(told * 2));
  });
});
