import type { Tool } from "../tool.ts";
import { copy, mkdir, move, remove } from "./file-places.ts";
import { info, list, read } from "./file-reading.ts";
import { search } from "./file-search.ts";
import { edit, write } from "./file-writing.ts";

/** The files family. */
export const FILE_TOOLS: readonly Tool[] = [list, read, search, write, edit, remove, copy, move, mkdir, info];
