import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, readdirSync, readlinkSync } from "node:fs";
import { text } from "node:stream/consumers";
import { isErrno } from "@cmdop/kit";
import { expect, onTestFinished, test } from "vitest";
import { PipePool } from "./pipe-pool.ts";

function newPool(): PipePool {
  const pool = new PipePool();
  onTestFinished(() => pool.close());
  return pool;
}

/** The pipes that this process holds open. */
function openPipes(): string[] {
  return readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      const target = readlinkSync(`/proc/self/fd/${fd}`);
      return target.startsWith("pipe:") ? [target] : [];
    } catch (error) {
      // The descriptor of the listing itself is gone by now.
      if (isErrno(error, "ENOENT")) return [];
      throw error;
    }
  });
}

test("pipes of output end with their last writer, and leave nothing behind", async () => {
  const before = openPipes().length;
  const pool = newPool();
  for (let round = 0; round < 60; round += 1) {
    const pipe = await pool.take("output");
    if (pipe === undefined) throw new Error("no pipe");
    const child = spawn("echo", [String(round)], { stdio: ["ignore", pipe.theirs, "ignore"] });
    closeSync(pipe.theirs);
    expect(await text(pipe.ours)).toBe(`${round}\n`);
    if (child.exitCode === null) await once(child, "exit");
  }
  await pool.close();
  expect(openPipes()).toHaveLength(before);
});

test("a pipe of input has an end, also for who opens it by name after that", async () => {
  const pipe = await newPool().take("input");
  if (pipe === undefined) throw new Error("no pipe");
  pipe.ours.end("input\n");
  await once(pipe.ours, "close");
  const { stdout } = spawnSync("sh", ["-c", "cat /dev/stdin; cat /dev/stdin; echo end"], {
    stdio: [pipe.theirs, "pipe", "ignore"],
    encoding: "utf8",
  });
  closeSync(pipe.theirs);
  expect(stdout).toBe("input\nend\n");
});

test("a pool that is closed has no pipes, and nothing breaks", async () => {
  const pool = newPool();
  await pool.close();
  expect(await pool.take("output")).toBeUndefined();
  expect(await pool.take("input")).toBeUndefined();
});
