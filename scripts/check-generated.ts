import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Fails when proto/src/gen is not exactly what the .proto files generate today. */
const proto = join(import.meta.dirname, "..", "proto");
const scratch = mkdtempSync(join(tmpdir(), "cmdop-generate-"));
try {
  execFileSync("buf", ["generate", "--output", scratch], { cwd: proto, stdio: "inherit" });
  const fresh = filesBelow(join(scratch, "src", "gen"));
  const committed = filesBelow(join(proto, "src", "gen"));
  const stale = [...new Set([...fresh.keys(), ...committed.keys()])].filter(
    (name) => fresh.get(name) !== committed.get(name),
  );
  if (stale.length > 0) {
    console.error(`Stale generated code: ${stale.sort().join(", ")}. Run npm run generate and commit it.`);
    process.exitCode = 1;
  } else {
    console.log(`${fresh.size} files are what the .proto files say.`);
  }
} finally {
  rmSync(scratch, { recursive: true });
}

function filesBelow(directory: string): Map<string, string> {
  const files = readdirSync(directory, { recursive: true, encoding: "utf8" }).filter((name) =>
    name.endsWith(".ts"),
  );
  return new Map(files.map((name) => [name, readFileSync(join(directory, name), "utf8")]));
}
