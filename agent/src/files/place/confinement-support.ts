import { mkdir } from "node:fs/promises";
import { hashOf } from "../read/content-hash.ts";
import { receiveContent } from "../write/upload.ts";
import { writeContent } from "../write/write.ts";
import type { Boundary } from "./boundary.ts";
import type { Scratch } from "./test-support.ts";

export const SECRET = "what lies outside";
export const ALL = { pageSize: 0, page: "", includeHidden: true };
export const PARENTS = { parents: true };
export const TREE = { maxDepth: 0, names: [], exclude: [], includeHidden: true };
const LIMITS = { contextLines: 0, maxResults: 0, maxFileBytes: 0n };
export const SEARCH = { ...TREE, ...LIMITS, names: ["*"], flags: "" };
export const COPY = { recursive: true, overwrite: true };
export const EDIT = { old: Buffer.from("i"), new: Buffer.from("i"), all: true };

/** A root to be confined to, and something outside of it that must stay as it is. */
export async function makeRoot(scratch: Scratch): Promise<{ root: string; boundary: Boundary }> {
  await scratch.file("outside/secret", SECRET);
  await scratch.file("outside/dir/f", SECRET);
  await scratch.file("outside/dir/only-outside");
  await mkdir(scratch.at("root"));
  return { root: scratch.at("root"), boundary: scratch.boundary([scratch.at("root")]) };
}

/** A new name in the root. */
export const beside = ({ roots }: Boundary): string => `${roots[0]?.[0]}/beside-${names++}`;
let names = 0;

/** A new file in the root. */
export async function seed(boundary: Boundary): Promise<string> {
  const file = beside(boundary);
  await writeContent(boundary, file, Buffer.from("seed"), PARENTS);
  return file;
}

/** An upload of a text, whole. */
export function upload(boundary: Boundary, file: string, text: string): Promise<unknown> {
  const data = Buffer.from(text);
  const pieces = async function* () {
    yield { data };
    yield { data: Buffer.alloc(0), finish: { size: BigInt(data.length), sha256: hashOf(data) } };
  };
  return receiveContent(boundary, file, pieces(), { parents: false });
}
