import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, readdirSync, readlinkSync } from "node:fs";
import { isErrno } from "@cmdop/kit";
import { expect, onTestFinished, test } from "vitest";
import { PipePool } from "./pipe-pool.ts";

function newPool(): PipePool {
  const pool = new PipePool();
  onTestFinished(() => pool.close());
  return pool;
}

/** The FIFOs that this process holds open. */
function openFifos(): string[] {
  return readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      const target = readlinkSync(`/proc/self/fd/${fd}`);
      return target.includes("cmdop-pipes-") ? [target] : [];
    } catch (error) {
      // The descriptor of the listing itself is gone by now.
      if (isErrno(error, "ENOENT")) return [];
      throw error;
    }
  });
}

test.skipIf(process.platform !== "linux")(
  "pipes have no name, end with their last writer, and leave nothing behind",
  async () => {
    const pool = newPool();
    for (let round = 0; round < 60; round += 1) {
      const pipe = await pool.take();
      if (pipe === undefined) throw new Error("no pipe");
      const child = spawn("echo", [String(round)], { stdio: ["ignore", pipe.theirs, "ignore"] });
      closeSync(pipe.theirs);
      const chunks = await pipe.ours.toArray();
      expect(Buffer.concat(chunks).toString()).toBe(`${round}\n`);
      if (child.exitCode === null) await once(child, "exit");
    }
    for (const fifo of openFifos()) expect(fifo).toMatch(/ \(deleted\)$/);
    await pool.close();
    expect(openFifos()).toEqual([]);
  },
);

test("without mkfifo there are no pipes, and nothing breaks", async () => {
  const { PATH } = process.env;
  onTestFinished(() => {
    process.env.PATH = PATH;
  });
  process.env.PATH = "/nowhere";
  const pool = newPool();
  expect(await pool.take()).toBeUndefined();
  expect(await pool.take()).toBeUndefined();
});
