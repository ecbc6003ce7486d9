import { PROTOCOL } from "@cmdop/proto/protocol";
import { BUILD } from "./build-info.ts";
import { VERSION } from "./version.ts";

/** Returns the text of `cmdop version`: version, commit, time and protocol; a line of JSON with `json`. */
export function versionText(json: boolean): string {
  const { commit, committedAt, releaseKey } = BUILD;
  const at = committedAt === null ? null : new Date(committedAt * 1000).toISOString();
  const node = process.versions.node;
  if (json)
    return `${JSON.stringify({ version: VERSION, commit, at, protocol: PROTOCOL, node, releaseKey })}\n`;
  const from = commit === null || at === null ? "from source" : `commit ${commit.slice(0, 12)} of ${at}`;
  return `cmdop ${VERSION}, ${from}, protocol ${PROTOCOL}, Node ${node}\n`;
}
