import path from "node:path";

/** The cmdop that runs now, as another program can start it: Node and the entry file, from source or as built. */
export function ownCommand(): { readonly program: string; readonly main: string } {
  const main = `main${path.extname(import.meta.filename)}`;
  return { program: process.execPath, main: path.join(import.meta.dirname, main) };
}
