import { visible } from "@cmdop/proto/visible";

/**
 * Text from afar as it may be shown: everything misleading is made visible, and
 * backslashes stay single. What a machine has made visible already (commands in
 * approvals and records) looks the same as there.
 */
export function printable(text: string): string {
  return text.split("\\").map(visible).join("\\");
}

/**
 * The same for a text to be read: lines and tabs stay what they are, spaces of
 * every kind are spaces, and emoji lose what only asks for their colours.
 */
export function printableText(text: string): string {
  return text
    .replaceAll("\r\n", "\n")
    .replaceAll(/\p{Zs}/gu, " ")
    .replaceAll(/(?<=\p{Emoji})\ufe0f/gu, "")
    .split(/([\n\t])/)
    .map((part) => (part === "\n" || part === "\t" ? part : printable(part)))
    .join("");
}
