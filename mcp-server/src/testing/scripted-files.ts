import { createHash } from "node:crypto";
import { onAbort } from "@cmdop/kit";
import { CmdopError, type FileInfo } from "@cmdop/sdk";
import type { ToolMachine } from "../client.ts";

/** Stands in for the SDK's files: contents in memory. A search goes on for ever where its content is `endless`. */
export function scriptedFiles(): ToolMachine["files"] {
  const contents = new Map<string, Buffer>();
  const find = (path: string): Buffer => {
    const content = contents.get(path);
    if (content === undefined) throw new CmdopError("NotFound", `${path} does not exist.`);
    return content;
  };
  const entry = (path: string, type: FileInfo["type"], size = 0): FileInfo => ({
    name: path.slice(path.lastIndexOf("/") + 1),
    path,
    type,
    size,
    mtimeMs: 1_790_000_000_000,
    mode: 0o644,
    uid: 0,
    gid: 0,
  });
  const fileAt = (path: string): FileInfo => entry(path, "file", find(path).length);
  const put = (path: string, content: Uint8Array): FileInfo => {
    contents.set(path, Buffer.from(content));
    return entry(path, "file", content.length);
  };
  const copy = (source: string, destination: string, overwrite = false): FileInfo => {
    if (!overwrite && contents.has(destination))
      throw new CmdopError("AlreadyExists", `${destination} exists.`);
    return put(destination, find(source));
  };
  return {
    list: async (path, { page, pageSize = 1000 } = {}) => {
      const inside = [...contents.keys()].filter((name) => name.startsWith(`${path}/`)).sort();
      const from = Number(page ?? 0);
      const to = from + pageSize;
      return {
        entries: inside.slice(from, to).map((name) => entry(name, "file", find(name).length)),
        ...(to < inside.length ? { nextPage: String(to) } : {}),
      };
    },
    read: async (path, { offset = 0, length } = {}) =>
      find(path).subarray(offset, length === undefined ? undefined : offset + length),
    async *walk(path) {
      for (const name of contents.keys()) if (name.startsWith(`${path}/`)) yield fileAt(name);
    },
    async *search(path, { content, contextLines = 0, maxResults = 1000, signal }) {
      const pattern = content instanceof RegExp ? content : undefined;
      let results = 0;
      for (const name of contents.keys()) {
        if (!name.startsWith(path)) continue;
        if (find(name).includes(0))
          yield { type: "skipped", path: name, reason: "binary", message: "no text" };
        else if (pattern === undefined) yield { type: "file", file: fileAt(name) };
        else {
          const lines = find(name).toString().split("\n");
          for (const [index, text] of lines.entries()) {
            const match = pattern.exec(text);
            if (match === null) continue;
            if (results === maxResults) return yield { type: "ended", files: 1, results, limited: true };
            results += 1;
            const before = lines.slice(Math.max(0, index - contextLines), index);
            const after = lines.slice(index + 1, index + 1 + contextLines);
            const place = { line: index + 1, column: match.index, length: match[0].length, textStart: 0 };
            yield { type: "match", path: name, text, before, after, ...place };
          }
        }
      }
      if (pattern?.source === "endless") {
        await new Promise<void>((resolve) => onAbort(signal, resolve));
        throw new CmdopError("Canceled", "The search was withdrawn.");
      }
      yield { type: "ended", files: contents.size, results, limited: false };
    },
    write: async (path, content, { ifMatch, ifAbsent, append } = {}) => {
      if (!(content instanceof Uint8Array)) throw new TypeError("the tools write bytes");
      if (ifAbsent && contents.has(path)) throw new CmdopError("AlreadyExists", `${path} exists.`);
      if (ifMatch !== undefined && ifMatch !== hashOf(find(path))) throw new CmdopError("FileChanged", path);
      if (append) return put(path, Buffer.concat([contents.get(path) ?? Buffer.alloc(0), content]));
      return { ...put(path, content), sha256: hashOf(content) };
    },
    edit: async (path, { old, new: substitute, all, ifMatch }) => {
      const before = find(path).toString();
      if (ifMatch !== undefined && ifMatch !== hashOf(find(path))) throw new CmdopError("FileChanged", path);
      const parts = before.split(String(old));
      const count = parts.length - 1;
      if (count === 0 || (count > 1 && !all)) throw new CmdopError("InvalidArgument", `${count} times`);
      const after = Buffer.from(parts.join(String(substitute)));
      return { ...put(path, after), sha256: hashOf(after), replacements: count };
    },
    delete: async (path) => {
      find(path);
      contents.delete(path);
    },
    copy: async (source, destination, { overwrite } = {}) => copy(source, destination, overwrite),
    move: async (source, destination, { overwrite } = {}) => {
      const moved = copy(source, destination, overwrite);
      contents.delete(source);
      return moved;
    },
    mkdir: async (path) => entry(path, "directory"),
    info: async (path, { hash } = {}) => {
      if (!contents.has(path) && [...contents.keys()].some((name) => name.startsWith(`${path}/`))) {
        return entry(path, "directory");
      }
      return { ...fileAt(path), ...(hash ? { sha256: hashOf(find(path)) } : {}) };
    },
  };
}

function hashOf(content: Uint8Array): string {
  return createHash("sha256").update(content).digest("hex");
}
