import { createHash, randomBytes, randomUUID } from "node:crypto";
import { access, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { newJobs } from "../test-support.ts";
import { Keyboard } from "./keyboard.ts";
import { SH, script, session } from "./test-support.ts";

/** More than a terminal takes while nobody reads (some 20 KB), and one message. */
const INPUT_BYTES = 65_536;

/** Reads every byte as it is, when it is told to. */
const READS_LATER = `
  stty raw -echo; echo ready; while [ ! -e "$GO" ]; do sleep 0.01; done
  head -c ${INPUT_BYTES} | sha256sum; echo over
`;

test("promise 3: input that is not read yet blocks nobody else, and arrives whole when it is", async () => {
  const directory = await mkdtemp(join(tmpdir(), "cmdop-keyboard-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const go = join(directory, "go");
  const jobs = newJobs();
  const shell = session(jobs, script(READS_LATER), { env: { GO: go } });
  await shell.sees("ready");
  const data = randomBytes(INPUT_BYTES);
  let taken = false;
  const typing = shell.job
    .input({ writerId: randomUUID(), offset: 0n, data, eof: false })
    .then((accepted) => {
      taken = true;
      return accepted;
    });
  const other = session(jobs, SH);
  for (let round = 0; round < 20; round += 1) {
    await other.type(`echo round''${round}\n`);
    await other.sees(`round${round}\r\n`);
  }
  expect(taken).toBe(false);
  await expect(access(go)).rejects.toThrow();
  await writeFile(go, "");
  await expect(typing).resolves.toBe(BigInt(INPUT_BYTES));
  await shell.sees(createHash("sha256").update(data).digest("hex"));
});

test("promise 2: keystrokes that come again are typed once", async () => {
  const shell = session(newJobs(), script("stty -echo; echo ready; cat"));
  await shell.sees("ready");
  const writerId = randomUUID();
  const piece = (offset: bigint, text: string) =>
    shell.job.input({ writerId, offset, data: Buffer.from(text), eof: false });
  await piece(0n, "one ");
  await expect(piece(0n, "one two ")).resolves.toBe(8n);
  await expect(piece(8n, "three\n")).resolves.toBe(14n);
  await shell.sees("\r\none two three\r\n");
  await expect(piece(99n, "x")).rejects.toMatchObject({ code: "InputGap" });
});

test("a keyboard has no end, but Ctrl-D; after the end of the session it takes nothing", async () => {
  const shell = session(newJobs(), script("echo ready; cat; echo over"));
  await shell.sees("ready");
  const ending = shell.job.input({ writerId: randomUUID(), offset: 0n, data: new Uint8Array(), eof: true });
  await expect(ending).rejects.toMatchObject({
    code: "InvalidArgument",
    next: expect.stringContaining("Ctrl-D"),
  });
  await shell.type("\x04");
  await shell.sees("over");
  await shell.job.ended;
  await expect(shell.type("x")).rejects.toMatchObject({ code: "JobEnded" });
});

test("whoever types when the session ends is not left waiting", async () => {
  const shell = session(newJobs(), script("stty raw -echo; echo ready; sleep 600"));
  await shell.sees("ready");
  const typing = shell.type("x".repeat(INPUT_BYTES));
  await shell.job.stop({ kind: "canceled", reason: "test" });
  await typing;
});

test("a keyboard types in order what is taken in parts, and fails where the terminal does", async () => {
  const takes = [3, 0, 0, 1, 100];
  let typed = "";
  const keyboard = new Keyboard((bytes) => {
    const taken = bytes.subarray(0, takes.shift() ?? 0);
    typed += Buffer.from(taken).toString();
    return taken.length;
  });
  await new Promise((resolve) => keyboard.write("0123456789", resolve));
  expect(typed).toBe("0123456789");

  const broken = new Keyboard(() => {
    throw new Error("hung up");
  });
  broken.on("error", () => undefined);
  const failure = await new Promise((resolve) => broken.write("x", resolve));
  expect(failure).toMatchObject({ message: "hung up" });
});
