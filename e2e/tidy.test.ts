import path from "node:path";
import { METHODS } from "@cmdop/proto";
import { describe, expect, it } from "vitest";
import { entriesOf, MANIFESTS, manifestOf, WORKSPACE } from "./tidy/manifests.ts";
import { expectNone, others } from "./tidy/offenders.ts";
import {
  FILES,
  importsOf,
  isTest,
  packageOf,
  resolveImport,
  SOURCES,
  type SourceFile,
  withoutComments,
} from "./tidy/source-tree.ts";

/** Lines of a file, tests included: beyond this it holds more than one idea. */
const MAX_LINES = 400;

/** Where a pattern occurs: `file:line: text`. */
function occurrences(
  files: readonly SourceFile[],
  pattern: RegExp,
  read = (file: SourceFile) => file.text,
): string[] {
  return files.flatMap((file) =>
    read(file)
      .split("\n")
      .flatMap((line, index) =>
        pattern.test(line) ? [`${file.path}:${index + 1}: ${line.trim().slice(0, 100)}`] : [],
      ),
  );
}

/** Code without comments, line by line where it was. */
const code = (file: SourceFile): string =>
  withoutComments(file.text.replace(/^\s*\/\*[\s\S]*?\*\//gm, (comment) => comment.replace(/[^\n]/g, "")));

describe("dependencies", () => {
  /** Which packages of ours each package may import: docs/ARCHITECTURE.md says why. */
  const MAY_IMPORT: Record<string, readonly string[]> = {
    kit: [],
    proto: ["@cmdop/kit"],
    sdk: ["@cmdop/kit", "@cmdop/proto"],
    relay: ["@cmdop/kit", "@cmdop/proto"],
    agent: ["@cmdop/kit", "@cmdop/proto"],
    "mcp-server": ["@cmdop/kit", "@cmdop/proto", "@cmdop/sdk"],
    cli: ["@cmdop/kit", "@cmdop/proto", "@cmdop/sdk", "@cmdop/relay", "@cmdop/agent", "@cmdop/mcp-server"],
  };

  it.each(Object.entries(MAY_IMPORT))("%s imports of ours only %j", (folder, allowed) => {
    const offenders = SOURCES.filter((file) => file.folder === folder).flatMap((file) =>
      importsOf(file)
        .map(({ specifier }) => packageOf(specifier) ?? "")
        .filter((name) => /^(?:@cmdop\/|cmdop$)/.test(name) && !allowed.includes(name))
        .map((name) => `${file.path} imports ${name}`),
    );
    expectNone(offenders, "Dependencies point one way: move what is shared down, or the importer up.");
  });

  it("no package reaches into another by path", () => {
    // Programs export nothing; whole-system tests and benchmarks may use their parts.
    const mayLookInto = (from: string, into: string): boolean =>
      from === into ||
      // They belong to the workspace: the build looks into all that it builds, and says where it puts it.
      from === "scripts" ||
      (from === "e2e" && into === "scripts") ||
      (["e2e", "bench", "examples"].includes(from) && manifestOf(into).exports === undefined);
    const exported = new Set(
      MANIFESTS.flatMap(({ name, exports }) =>
        typeof exports === "object" ? Object.keys(exports).map((path) => name + path.slice(1)) : [],
      ),
    );
    const offenders = SOURCES.flatMap((file) =>
      importsOf(file).flatMap(({ specifier }) => {
        if (specifier.startsWith(".")) {
          const target = resolveImport(file, specifier);
          // The build names what programs start; a release is signed as every statement is.
          const isBuilt = file.path === "scripts/bundle.ts" && target.endsWith("/src/entries.ts");
          const isRelease = file.path.startsWith("scripts/release/") && target.startsWith("proto/src/");
          return isBuilt || isRelease || mayLookInto(file.folder, target.split("/")[0] ?? "")
            ? []
            : [`${file.path} imports ${target}`];
        }
        const name = packageOf(specifier);
        const isOurs = name?.startsWith("@cmdop/") && name !== specifier;
        return isOurs && !exported.has(specifier) ? [`${file.path} imports ${specifier}`] : [];
      }),
    );
    expectNone(offenders, "Import a package by its name; what it does not export is its own business.");
  });

  /** What some rooms must not know, tests aside. */
  const generatedNames = new Set(
    SOURCES.filter((file) => file.path === "proto/src/index.ts")
      .flatMap(importsOf)
      .filter(({ specifier }) => specifier.startsWith("./gen/"))
      .flatMap(({ names }) => names),
  );
  const ROOMS = [
    {
      room: "relay/src/data/",
      forbidden: "a generated message or service",
      knows: ({ specifier, names }: { specifier: string; names: readonly string[] }) =>
        specifier.includes("/gen/") ||
        (specifier === "@cmdop/proto" && names.some((name) => generatedNames.has(name))),
    },
    {
      room: "mcp-server/src/tools/",
      forbidden: "the MCP SDK",
      knows: ({ specifier }: { specifier: string }) => specifier.startsWith("@modelcontextprotocol/"),
    },
    {
      room: "agent/src/jobs/",
      forbidden: "gRPC",
      knows: ({ specifier }: { specifier: string }) => specifier.startsWith("@grpc/"),
    },
    {
      room: "agent/src/files/",
      forbidden: "gRPC",
      knows: ({ specifier }: { specifier: string }) => specifier.startsWith("@grpc/"),
    },
  ];

  it.each(ROOMS)("$room does not know $forbidden", ({ room, knows }) => {
    const inRoom = SOURCES.filter((file) => file.path.startsWith(room) && !isTest(file));
    expect(inRoom.length, `${room} is gone: change this rule with it`).toBeGreaterThan(0);
    const offenders = inRoom.flatMap((file) =>
      importsOf(file)
        .filter(knows)
        .map(({ specifier, names }) => `${file.path} imports ${names.join(", ")} from ${specifier}`),
    );
    expectNone(offenders, "Translate at the edge instead: this room must work without it.");
  });

  it.each(MANIFESTS.filter(({ folder }) => folder !== ""))(
    "$name lists exactly what it imports",
    (manifest) => {
      const inCode = new Set<string>();
      const inTests = new Set<string>();
      for (const file of SOURCES.filter(({ folder }) => folder === manifest.folder)) {
        for (const { specifier } of importsOf(file)) {
          const name = packageOf(specifier);
          if (name !== undefined) (isTest(file) ? inTests : inCode).add(name);
        }
      }
      const { dependencies, devDependencies } = manifest;
      const forTests = { ...WORKSPACE.devDependencies, ...dependencies, ...devDependencies };
      const isPrivate = ["e2e", "bench", "examples"].includes(manifest.folder);
      // Whole-system tests start our packages without importing them.
      const isStarted = (name: string): boolean => isPrivate && dependencies[name] === "workspace:*";
      const isUsed = (name: string): boolean =>
        inCode.has(name) || (isPrivate && inTests.has(name)) || isStarted(name);
      expectNone(
        [
          ...[...inCode]
            .filter((name) => !(name in dependencies))
            .map((name) => `add ${name} to dependencies`),
          ...[...inTests]
            .filter((name) => !(name in forTests))
            .map((name) => `add ${name} to devDependencies`),
          ...Object.keys(dependencies)
            .filter((name) => !isUsed(name))
            .map((name) => `remove ${name}: no code imports it`),
          ...Object.keys(devDependencies)
            .filter((name) => !inTests.has(name))
            .map((name) => `remove ${name}: no test imports it`),
        ],
        `Correct ${manifest.folder}/package.json.`,
      );
    },
  );
});

describe("files", () => {
  it("no file is dead: each is reached from an entry or a test", () => {
    const byPath = new Map(FILES.map((file) => [file.path, file]));
    const queue = [
      ...MANIFESTS.flatMap(entriesOf),
      ...SOURCES.filter((file) => !/\/src\//.test(file.path) || /\.test\.ts$/.test(file.path)).map(
        (file) => file.path,
      ),
    ];
    const reached = new Set<string>();
    for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
      const file = byPath.get(next);
      if (file === undefined || reached.has(next)) continue;
      reached.add(next);
      // Imports, and files that are started by their path.
      for (const [, specifier = ""] of file.text.matchAll(/"(\.{1,2}\/[^"]+\.ts)"/g))
        queue.push(resolveImport(file, specifier));
      for (const [, name = ""] of file.text.matchAll(/"([\w.-]+\.ts)"/g))
        queue.push(resolveImport(file, name));
      // What a program starts by name, as source or as built.
      for (const [, name = ""] of file.path.endsWith("/src/entries.ts")
        ? file.text.matchAll(/"([\w/-]+)"/g)
        : [])
        queue.push(resolveImport(file, `${name}.ts`));
    }
    const offenders = SOURCES.filter((file) => /\/src\//.test(file.path) && !reached.has(file.path));
    expectNone(
      offenders.map((file) => file.path),
      "Nothing imports these files: delete them, or use them.",
    );
  });

  it(`no file has more than ${MAX_LINES} lines`, () => {
    const offenders = SOURCES.map((file) => ({ name: file.path, lines: file.text.split("\n").length - 1 }))
      .filter(({ lines }) => lines > MAX_LINES)
      .map(({ name, lines }) => `${name}: ${lines} lines`);
    expectNone(offenders, "One idea a file: split it.");
  });

  it("names are kebab-case", () => {
    const offenders = SOURCES.flatMap(({ path: name }) =>
      name
        .split("/")
        .filter((part) => !/^[a-z0-9]+(?:[.-][a-z0-9]+)*$/.test(part))
        .map(() => name),
    );
    expectNone(offenders, "Rename to kebab-case.");
  });

  it("an index.ts has named exports only", () => {
    const indexes = SOURCES.filter((file) => path.basename(file.path) === "index.ts");
    expectNone(occurrences(indexes, /^export (?:\*|default)/), "Name what is exported: index.ts is the API.");
  });
});

describe("the kit", () => {
  const product = SOURCES.filter((file) => file.folder !== "kit" && !isTest(file));

  it("has the waits: nobody else waits by a timer of node:timers/promises", () => {
    const offenders = product.filter((file) =>
      importsOf(file).some(
        ({ specifier, names }) => specifier === "node:timers/promises" && names.includes("setTimeout"),
      ),
    );
    expectNone(
      offenders.map((file) => file.path),
      "Use pause, within or Backoff of @cmdop/kit.",
    );
  });

  it("has the look at the system's errors: nobody else compares their codes", () => {
    const comparison = /\.code [!=]== "E[A-Z0-9]+"|\bErrnoException\b/;
    expectNone(occurrences(product, comparison, code), "Use isErrno, unless or unlessSync of @cmdop/kit.");
  });

  it("has the longest timer", () => {
    const longest = /\b2 \*\* 31 - 1\b|2_?147_?483_?647|0x7fff_?ffff/i;
    expectNone(occurrences(product, longest, code), "Use LONGEST_TIMER_MS of @cmdop/kit.");
  });
});

describe("text", () => {
  const written = FILES.filter(others);
  const sources = SOURCES.filter(others);

  it("no path of a developer's machine", () => {
    const machinePath = /(?<![\w.~$}-])\/(?:work|root|Users)\/|(?<![\w.~$}-])\/home\/(?!(?:user|[a-z])\b)\w/;
    expectNone(
      occurrences(written, machinePath),
      "Use a path that is the same everywhere; /home/user in examples.",
    );
  });

  it("no registry or download address", () => {
    const lockfile = FILES.filter((file) => file.path === "pnpm-lock.yaml");
    expectNone(
      [
        ...occurrences(written, /https?:\/\/[^\s"']*(?:registry|npmjs|artifactory|verdaccio)/),
        ...occurrences(lockfile, /\b(?:tarball|resolved):|https?:\/\//),
      ],
      "Install from the default registry again: the lockfile names packages and hashes, no addresses.",
    );
  });

  it("nothing is left for later without an issue", () => {
    expectNone(
      occurrences(written, /\b(?:TODO|FIXME|XXX|HACK)\b/),
      "Do it now, or file an issue and say so in words.",
    );
  });

  it("no test is switched off, and none runs alone", () => {
    expectNone(
      occurrences(sources, /\b(?:it|test|describe|suite)\.(?:only|skip|todo|fails)\b/),
      "Make it pass, or delete it.",
    );
  });

  it("the compiler and the linter are never silenced", () => {
    const silenced = /@ts-(?:ignore|expect-error|nocheck)|biome-ignore|eslint-disable/;
    expectNone(occurrences(sources, silenced), "Fix the type or the code instead.");
    const anything = /\bas any\b|\bas unknown as\b|\bas never\b|:\s*any\b|<any\b|\bany\[\]/;
    const cast = /(?<!^\s*(?:type )?\w+)(?<=[\w)\]}]) as (?!const\b)[A-Z{(]/;
    const expressions = (file: SourceFile): string =>
      code(file)
        .replace(/^(?:import|export) [^;"]*?from/gm, "")
        .replace(/"[^"\n]*"|`[^`\n]*`/g, '""');
    expectNone(
      [
        ...occurrences(sources, anything, code),
        // An empty list has no type of its own; saying it silences nothing.
        ...occurrences(sources, cast, expressions).filter((found) => !found.includes("[] as ")),
      ],
      "Use unknown with a type predicate, zod, or satisfies.",
    );
  });

  it("nothing is swallowed: no empty catch", () => {
    const empty = sources.flatMap((file) =>
      [...code(file).matchAll(/\bcatch\s*(?:\([^)]*\)\s*)?\{\s*\}/g)].map(() => file.path),
    );
    // Tests may provoke failures that they do not care about.
    const product = sources.filter((file) => !isTest(file));
    const ignored = occurrences(product, /\.catch\(\(\w*\) => (?:undefined|\{\s*\}|null)\)/, code);
    expectNone(
      [...empty, ...ignored],
      "Handle it, or let only the one expected error pass and rethrow the rest.",
    );
  });
});

describe("the protocol", () => {
  it("the method table has every method that the .proto files define, except Link's, and no other", () => {
    const defined = FILES.filter((file) => file.path.endsWith(".proto")).flatMap(({ text }) => {
      const [, packageName = ""] = /^package ([\w.]+);/m.exec(text) ?? [];
      return [...text.matchAll(/^service (\w+) \{([\s\S]*?)^\}/gm)].flatMap(([, service = "", body = ""]) =>
        [...body.matchAll(/^\s*rpc (\w+)\(/gm)].map(
          ([, method = ""]) => `/${packageName}.${service}/${method}`,
        ),
      );
    });
    const reachable = defined.filter((method) => !method.startsWith("/cmdop.v1.Link/"));
    expect(defined.length).toBeGreaterThan(reachable.length);
    const known = Object.keys(METHODS);
    expectNone(
      [
        ...reachable.filter((method) => !known.includes(method)).map((method) => `${method} has no rule`),
        ...known
          .filter((method) => !reachable.includes(method))
          .map((method) => `${method} has a rule, but no service`),
      ],
      "Correct METHODS in proto/src/methods.ts.",
    );
  });

  it("every entry that a package names exists", () => {
    const missing = MANIFESTS.flatMap(entriesOf).filter(
      (entry) => !FILES.some((file) => file.path === entry),
    );
    expectNone(missing, "A package.json names these files.");
    expect(manifestOf("cli").bin).toEqual({ cmdop: "./src/main.ts" });
  });
});
