import { InvalidArgumentError } from "commander";

/** Collects an option that may be given several times. */
export function collect(value: string, previous: readonly string[] | undefined): string[] {
  return [...(previous ?? []), value];
}

/** Collects `KEY=VALUE` options into a record. */
export function collectPairs(
  value: string,
  previous: Readonly<Record<string, string>> | undefined,
): Record<string, string> {
  const equals = value.indexOf("=");
  if (equals < 1) throw new InvalidArgumentError("Give it as KEY=VALUE.");
  return { ...previous, [value.slice(0, equals)]: value.slice(equals + 1) };
}

/** Reads a count of at least one. */
export function parseCount(text: string): number {
  if (!/^[1-9]\d{0,4}$/.test(text)) throw new InvalidArgumentError("Give a number from 1 to 99999.");
  return Number(text);
}

/** Reads a TCP port; 0 lets the system choose. */
export function parsePort(text: string): number {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port > 65_535)
    throw new InvalidArgumentError("Give a number from 0 to 65535.");
  return port;
}
