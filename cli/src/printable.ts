import { visible } from "@cmdop/proto";

/**
 * Text from afar as it may be shown: everything misleading is made visible, and
 * backslashes stay single. What a machine has made visible already (commands in
 * approvals and records) looks the same as there.
 */
export function printable(text: string): string {
  return text.split("\\").map(visible).join("\\");
}

/** The same for text of several lines, which stay lines, as tabs stay tabs. */
export function printableLines(text: string): string {
  return text
    .replaceAll("\r\n", "\n")
    .split(/([\n\t])/)
    .map((part) => (part === "\n" || part === "\t" ? part : printable(part)))
    .join("");
}
