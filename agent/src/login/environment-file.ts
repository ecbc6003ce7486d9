/** Linux's limit for one environment variable, in bytes, including its name, the "=" and the final NUL. */
const MAX_VARIABLE_BYTES = 128 * 1024;

/** A name that every shell can export. */
const NAME = /^[A-Za-z_]\w*$/;

/** True if a variable can be passed to any program. */
export function isVariable(name: string, value: string): boolean {
  return (
    NAME.test(name) &&
    !value.includes("\0") &&
    Buffer.byteLength(value) < MAX_VARIABLE_BYTES - name.length - 2
  );
}

/**
 * Parses a file such as /etc/environment as PAM does: one KEY=VALUE a line. A leading `export` and quotes
 * around the value are removed, `#` begins a comment wherever it stands, a backslash at the end of a line
 * continues it, and nothing is expanded. Other lines are skipped.
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

/** Removes quotes as PAM does: the last one only if there is one at the start. */
function unquoted(value: string): string {
  if (!/^["']/.test(value)) return value;
  return value.slice(1).replace(/["']$/, "");
}
