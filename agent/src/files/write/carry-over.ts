import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { Semaphore, within } from "@cmdop/kit";
import { printable } from "@cmdop/proto";
import { descriptorOf, type Pin } from "../place/pin.ts";

/** Where cp lies: this process has no PATH, and would trust none. */
const CP = ["/usr/bin/cp", "/bin/cp", "/run/current-system/sw/bin/cp"];

/** A machine that labels files has this; elsewhere cp refuses to keep labels. */
const SELINUX = "/sys/fs/selinux/enforce";

/** How long one copy may take, in milliseconds: it touches an inode or two, and takes 5 ms as a rule. */
const TIME_LIMIT_MS = 10_000;

/** Copies at once: an upload of many files would start as many processes. */
const children = new Semaphore(8);

/** Characters that are shown of what cp says. */
const MAX_REASON_CHARACTERS = 200;

/**
 * Gives a file the permissions, ACL and extended attributes of another. Node
 * can't read them, nor tell whether there are any: GNU's cp does both. Undefined
 * where that is done, else why it can't be, in words.
 */
export async function carryOver(from: Pin, to: FileHandle): Promise<string | undefined> {
  const program = CP.find((path) => existsSync(path));
  const descriptor = descriptorOf(from);
  if (program === undefined || descriptor === undefined) return "this machine has no cp";
  using _ = await children.enter();
  const kept = ["mode", "xattr", ...(existsSync(SELINUX) ? ["context"] : [])];
  const child = spawn(
    program,
    ["--attributes-only", `--preserve=${kept.join()}`, "--", "/proc/self/fd/3", "/proc/self/fd/4"],
    { cwd: "/", env: { LC_ALL: "C" }, stdio: ["ignore", "ignore", "pipe", descriptor, to.fd] },
  );
  const ended = await within(ending(child), TIME_LIMIT_MS);
  if (ended !== undefined) return ended.isDone ? undefined : ended.said;
  child.kill("SIGKILL");
  return "cp did not come back";
}

/** How cp ended, and the first line of what it said. */
async function ending(child: ChildProcess): Promise<{ isDone: boolean; said: string }> {
  let said = "";
  child.stderr?.setEncoding("latin1").on("data", (text: string) => {
    if (said.length < MAX_REASON_CHARACTERS) said += text;
  });
  const { promise, resolve } = Promise.withResolvers<{ isDone: boolean; said: string }>();
  child.once("error", ({ message }) => resolve({ isDone: false, said: message }));
  child.once("close", (code) => {
    const [line = ""] = said.slice(0, MAX_REASON_CHARACTERS).split("\n");
    resolve({ isDone: code === 0, said: line === "" ? `cp ended with ${code}` : printable(line) });
  });
  return promise;
}
