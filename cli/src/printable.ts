import { visible } from "@cmdop/proto";

/**
 * Text from afar as it may be shown: everything misleading is made visible, and
 * backslashes stay single. What a machine has made visible already (commands in
 * approvals and records) looks the same as there.
 */
export function printable(text: string): string {
  return text.split("\\").map(visible).join("\\");
}
