import { expect, it } from "vitest";
import { BootIds } from "./boot-ids.ts";

it("takes restarts for what they are", () => {
  const boots = new BootIds();
  expect(["a", "a", "b", "b", "c"].map((boot) => boots.note("m", boot))).toEqual(Array(5).fill("fine"));
  expect(boots.note("other machine", "a")).toBe("fine");
});

it("takes the newer of two that alternate for the clone", () => {
  const boots = new BootIds();
  expect(["a", "b", "a", "b", "a"].map((boot) => boots.note("m", boot))).toEqual([
    "fine",
    "fine",
    "cloned",
    "clone",
    "fine",
  ]);
  // The original may restart; a clone that restarts shows again as soon as the original returns.
  expect(["c", "d", "c", "d"].map((boot) => boots.note("m", boot))).toEqual([
    "fine",
    "fine",
    "cloned",
    "clone",
  ]);
});
