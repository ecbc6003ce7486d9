import { z } from "zod";
import { CmdopError } from "../errors/cmdop-error.ts";
import { MAX_NAME_CHARACTERS, nameSchema } from "./fields.ts";

/** Stands in a join token's name for the host name of the machine that joins. */
const HOST = "*";

/** A machine without a usable host name is called by this. */
const NAMELESS_HOST = "machine";

/** Highest number behind a name, so that several machines with one host name can be told apart. */
export const MAX_NAMESAKES = 10_000;

/** The name in a join token: a machine's name, or a pattern in which `*`, once, stands for its host name. */
export const namePatternSchema = z.string().refine((pattern) => {
  const parts = pattern.split(HOST);
  return parts.length <= 2 && nameSchema.safeParse(parts.join("x")).success;
}, "expected a name, in which * may stand once for the host name");

/** Returns true if a join token's name leaves the machine's name to its host. */
export function isNamePattern(name: string): boolean {
  return name.includes(HOST);
}

/** Returns a host name with only the characters that a machine's name may have. */
export function hostAsName(hostname: string): string {
  const name = trimmed(hostname.replace(/[^a-zA-Z0-9._-]+/g, "-")).slice(0, MAX_NAME_CHARACTERS);
  return name === "" ? NAMELESS_HOST : trimmed(name);
}

/** Returns the machine's name by a pattern, cut to the length of a name. `number`: from 2 for namesakes. */
export function nameByPattern(pattern: string, hostname: string, number = 1): string {
  if (!isNamePattern(pattern)) return pattern;
  const [before = "", after = ""] = pattern.split(HOST);
  const end = after + (number === 1 ? "" : `-${number}`);
  const room = MAX_NAME_CHARACTERS - before.length - end.length;
  const host = hostAsName(hostname).slice(0, Math.max(0, room));
  return nameSchema.parse(trimmed((before + trimmed(host) + end).slice(-MAX_NAME_CHARACTERS)));
}

/**
 * Checks on the machine that a relay has called it as its token and its own host name allow: a relay chooses
 * no more than the number.
 * @throws CmdopError LinkRefused
 */
export function checkNameByPattern(name: string, pattern: string, hostname: string): void {
  const number = Number(/-([1-9][0-9]{0,4})$/.exec(name)?.[1] ?? 1);
  const allowed = [nameByPattern(pattern, hostname)];
  if (number > 1 && number <= MAX_NAMESAKES) allowed.push(nameByPattern(pattern, hostname, number));
  if (allowed.includes(name)) return;
  throw new CmdopError(
    "LinkRefused",
    `The relay calls this machine ${JSON.stringify(name)}, but its join token allows only ${JSON.stringify(nameByPattern(pattern, hostname))}, with a number behind it where others have that name.`,
    { next: "The relay is broken or in wrong hands: tell its operator." },
  );
}

function trimmed(name: string): string {
  return name.replace(/^[^a-zA-Z0-9]+|[^a-zA-Z0-9]+$/g, "");
}
