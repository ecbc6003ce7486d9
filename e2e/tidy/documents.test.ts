import path from "node:path";
import { describe, expect, it } from "vitest";
import { expectNone, others } from "./offenders.ts";
import { commentsOf, FILES, resolveImport, SOURCES } from "./source-tree.ts";

describe("documents", () => {
  const paths = FILES.map((file) => file.path);

  const says = (name: string): boolean =>
    /^# .+\n\n\S.{20}/.test(FILES.find((file) => file.path === name)?.text ?? "");

  it("every folder of sources says what it holds", () => {
    const folders = SOURCES.map(({ path: name }) => path.dirname(name).replace(/^([\w-]+)\/src$/, "$1"));
    const offenders = folders.filter(
      (folder) => !/(?:^|\/)(?:testing|\.)$/.test(folder) && !says(`${folder}/README.md`),
    );
    expectNone(offenders, "Write its README.md: a title, and in a sentence or two what belongs there.");
  });

  it("number the promises as the titles of tests cite them, and each is cited", () => {
    const text = FILES.find(({ path: name }) => name === "docs/ARCHITECTURE.md")?.text ?? "";
    const section = /^## Promises\n([\s\S]*?)^## /m.exec(text)?.[1] ?? "";
    const numbered = [...section.matchAll(/^(\d+)\. /gm)].map(([, number]) => number);
    const cited = SOURCES.filter((file) => file.path.endsWith(".test.ts") && others(file)).flatMap((file) =>
      [...file.text.matchAll(/["`{]promise (\d+)/g)].map(([, number]) => number),
    );
    expect([...new Set(cited)].sort()).toEqual(numbered.sort());
  });

  it("name files which exist", () => {
    const documents = FILES.filter((file) => file.path.endsWith(".md") && others(file));
    const offenders = documents.flatMap((file) => {
      const named = [
        ...file.text.matchAll(/`([\w@.-]+(?:\/[\w@.-]+)+\.(?:ts|md|json|proto|yaml|yml))`/g),
      ].map(([, name = ""]) => name);
      const linked = [...file.text.matchAll(/\]\((?!\w+:|#)([^)#\s]+)/g)].map(([, name = ""]) =>
        resolveImport(file, name),
      );
      return [...named, ...linked]
        .filter(
          (name) =>
            !paths.some(
              (candidate) => candidate === name || candidate.startsWith(`${name.replace(/\/$/, "")}/`),
            ),
        )
        .map((name) => `${file.path} names ${name}`);
    });
    expectNone(offenders, "Correct the name, or the document with it. Paths in documents start at the root.");
  });

  it("so do comments", () => {
    const offenders = FILES.filter((file) => /\.(?:ts|proto)$/.test(file.path) && others(file)).flatMap(
      (file) =>
        [...commentsOf(file.text).matchAll(/(?<![\w:/.@-])[\w-]+(?:\/[\w.-]+)+\.(?:ts|md|proto)\b/g)]
          .map(([name]) => name)
          .filter((name) => !paths.some((candidate) => candidate === name || candidate.endsWith(`/${name}`)))
          .map((name) => `${file.path} names ${name}`),
    );
    expectNone(offenders, "Correct the comment.");
  });
});
