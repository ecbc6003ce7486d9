import { visible } from "@cmdop/proto/visible";

/** One line of JSON: the same value for a program, and nothing in it that could mislead a terminal. */
export function jsonLine(value: unknown): string {
  return `${jsonText(value)}\n`;
}

/** The same without the newline. */
export function jsonText(value: unknown): string {
  const json = JSON.stringify(value) ?? "null";
  // Outside its strings JSON is ASCII; inside them \u says the same.
  return json.replaceAll(/[^ -~]/gu, (it) => (visible(it) === it ? it : escaped(it)));
}

function escaped(character: string): string {
  const units = Array.from({ length: character.length }, (_, index) => character.charCodeAt(index));
  return units.map((unit) => `\\u${unit.toString(16).padStart(4, "0")}`).join("");
}
