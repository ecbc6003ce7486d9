/** The longest value that a program can be given on Linux, in bytes, with its name and what ends it. */
const MAX_VARIABLE_BYTES = 128 * 1024;

/** A name that every shell can export. */
const NAME = /^[A-Za-z_]\w*$/;

/** Whether a variable can be handed to any program. */
export function isVariable(name: string, value: string): boolean {
  return (
    NAME.test(name) &&
    !value.includes("\0") &&
    Buffer.byteLength(value) < MAX_VARIABLE_BYTES - name.length - 2
  );
}

/**
 * The variables of a file such as /etc/environment, read as PAM reads it: KEY=VALUE a line, `export` before it and
 * quotes around the value are taken off, `#` begins a comment wherever it stands, a backslash at a line's end continues
 * it, and nothing is expanded. A line that is none of this is passed over.
 */
export function parseEnvironmentFile(text: string): Record<string, string> {
  const variables: Record<string, string> = {};
  for (const line of text.replaceAll("\\\n", "").split(/\r?\n/)) {
    const said = line
      .trimStart()
      .replace(/#.*$/, "")
      .replace(/^export /, "");
    const at = said.indexOf("=");
    if (at < 1) continue;
    const [name, value] = [said.slice(0, at), unquoted(said.slice(at + 1))];
    if (isVariable(name, value)) variables[name] = value;
  }
  return variables;
}

/** As PAM has it, the quote at the end goes only where one stands at the beginning. */
function unquoted(value: string): string {
  if (!/^["']/.test(value)) return value;
  return value.slice(1).replace(/["']$/, "");
}
