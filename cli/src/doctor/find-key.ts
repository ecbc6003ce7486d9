import { readPrivateFile } from "@cmdop/proto";
import { homePaths } from "../home/home.ts";
import { type Finding, failed, failedBy, warning } from "./finding.ts";

/** The key that commands here use, or the finding that there is none. */
export function findKey(): { readonly apiKey: string } | Finding {
  const given = process.env.CMDOP_API_KEY;
  if (given) return { apiKey: given };
  try {
    const text = readPrivateFile(homePaths.profile());
    if (text === undefined) {
      return warning(
        "key",
        "There is no key here, so nothing can be called from here.",
        "Run cmdop up, set CMDOP_API_KEY, or make a key where the owner key is: cmdop keys create.",
      );
    }
    const apiKey: unknown = JSON.parse(text)?.apiKey;
    return typeof apiKey === "string" ? { apiKey } : damaged();
  } catch (thrown) {
    // A parser's words may not be shown: the file holds a key.
    return thrown instanceof SyntaxError ? damaged() : failedBy("key", thrown);
  }
}

function damaged(): Finding {
  return failed(
    "key",
    `The profile ${homePaths.profile()} is damaged.`,
    "Restore it from a backup, or delete it and run cmdop up.",
  );
}
