import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";

/** The repository's root. */
export const ROOT = path.join(import.meta.dirname, "..", "..");

/** What no rule looks at: other people's code, and what tools write. */
const LEFT_OUT = new Set(["node_modules", ".git", "dist"]);

/** Files that are not text. */
const BINARY = /\.(?:png|jpe?g|gif|ico|woff2?|db|sqlite)$/;

/** One file of the repository. */
export interface SourceFile {
  /** From the root, with forward slashes: `relay/src/data/proxy.ts`. */
  readonly path: string;
  /** The top-level folder: `relay`. Empty for files of the root itself. */
  readonly folder: string;
  readonly text: string;
}

/** Every text file of the repository, sorted by path. */
export const FILES: readonly SourceFile[] = filesBelow("").sort((a, b) => (a.path < b.path ? -1 : 1));

/** What people wrote in TypeScript. */
export const SOURCES = FILES.filter((file) => file.path.endsWith(".ts") && !file.path.includes("/gen/"));

/** Whether a file only serves tests. */
export function isTest({ path: name }: SourceFile): boolean {
  return /\.test\.ts$|\/test(?:ing|s|-[a-z-]+)?\/|\/test-[a-z-]+\.ts$|^(?:e2e|bench|examples|scripts)\//.test(
    name,
  );
}

/** One thing that a file imports. */
export interface Import {
  /** What stands behind `from`. */
  readonly specifier: string;
  /** The imported names, without `type` and without what they are called here; empty for a dynamic import. */
  readonly names: readonly string[];
}

/** Every static and dynamic import and re-export of a file, and what it requires. Biome's formatting is what makes this regular. */
export function importsOf({ text }: SourceFile): Import[] {
  const named = text.matchAll(/^(?:import|export)\s(?:type\s)?([^;"]*?)\sfrom\s"([^"]+)"/gm);
  const bare = text.matchAll(
    /^import\s"([^"]+)"|(?<![\w.])import\("([^"]+)"\)|createRequire\([\w.]+\)\("([^"]+)"\)/gm,
  );
  return [
    ...[...named].map(([, what = "", specifier = ""]) => ({ specifier, names: namesIn(what) })),
    ...[...bare].map(([, side, dynamic, required]) => ({
      specifier: side ?? dynamic ?? required ?? "",
      names: [],
    })),
  ];
}

/** The package of an import: `@grpc/grpc-js`; undefined for a relative path and for Node's own modules. */
export function packageOf(specifier: string): string | undefined {
  if (specifier.startsWith(".") || specifier.startsWith("node:")) return undefined;
  return specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
}

/** A relative import as a path from the root. */
export function resolveImport(file: SourceFile, specifier: string): string {
  return path.posix.join(path.posix.dirname(file.path), specifier);
}

/** A file's text without its comments, and nothing else lost that the rules look for. */
export function withoutComments(text: string): string {
  return text.replace(/^\s*\/\*[\s\S]*?\*\//gm, "").replace(/(^|\s)\/\/.*$/gm, "$1");
}

/** Only the comments. */
export function commentsOf(text: string): string {
  return [...text.matchAll(/^\s*\/\*[\s\S]*?\*\/|(?:^|\s)\/\/.*$/gm)].map(([comment]) => comment).join("\n");
}

function namesIn(clause: string): string[] {
  const list = /\{([\s\S]*)\}/.exec(clause)?.[1] ?? "";
  return list
    .split(",")
    .map((item) =>
      item
        .trim()
        .replace(/^type\s+/, "")
        .replace(/\s+as\s+[\s\S]*$/, ""),
    )
    .filter((item) => item !== "");
}

function filesBelow(directory: string): SourceFile[] {
  return readdirSync(path.join(ROOT, directory), { withFileTypes: true }).flatMap((entry): SourceFile[] => {
    const name = path.posix.join(directory, entry.name);
    if (LEFT_OUT.has(entry.name)) return [];
    if (entry.isDirectory()) return filesBelow(name);
    if (!entry.isFile() || BINARY.test(name)) return [];
    const folder = name.includes("/") ? name.slice(0, name.indexOf("/")) : "";
    return [{ path: name, folder, text: readFileSync(path.join(ROOT, name), "utf8") }];
  });
}
