import { expect, it, onTestFinished, vi } from "vitest";
import { inPlaceOf } from "./in-place-of.ts";

const wrong = async (): Promise<never> => {
  throw new Error("the token has ended");
};

it("starts a unit again where what it was stopped for has failed, and only then", async () => {
  const startAgain = vi.fn(async () => undefined);
  expect(await inPlaceOf(startAgain, async () => "done")).toBe("done");
  expect(startAgain).not.toHaveBeenCalled();
  await expect(inPlaceOf(startAgain, wrong)).rejects.toThrow("the token has ended");
  expect(startAgain).toHaveBeenCalledOnce();
});

it("tells the first failure where the unit does not start either, and warns of the second", async () => {
  const said = vi.spyOn(process.stderr, "write").mockReturnValue(true);
  onTestFinished(() => said.mockRestore());
  const failing = async (): Promise<never> => {
    throw new Error("systemctl start failed");
  };
  await expect(inPlaceOf(failing, wrong)).rejects.toThrow("the token has ended");
  expect(said).toHaveBeenCalledWith(expect.stringContaining("systemctl start failed"));
});
