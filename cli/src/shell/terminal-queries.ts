/** Operating system commands that never ask: icon and window title, which may be a question mark. */
const TITLE = /^[012](?:;|$)/;

/**
 * Returns true if a control sequence is a query to the terminal. The answer would be typed: into the program
 * that asked, while it is live, and into any other program when old output is shown again.
 */
export function isQuery(sequence: Uint8Array): boolean {
  const text = Buffer.from(sequence).toString("latin1");
  // These are an answerback, and the oldest query for the terminal's type.
  if (text === "\x05" || text === "\x1bZ") return true;
  // Terminals obey control characters in between, which do not change the sequence.
  const body = text.slice(2).replaceAll(/[^ -~]/g, "");
  switch (text[1]) {
    case "[":
      return isControlQuery(body);
    case "]":
      return isCommandQuery(body);
    case "P":
      // This queries settings and capabilities by name: DECRQSS, XTGETTCAP.
      return /^[$+]q/.test(body);
    case "_":
      // Kitty's images: unless told to be quiet, the terminal reports each result.
      return body.startsWith("G");
    default:
      return false;
  }
}

function isControlQuery(body: string): boolean {
  const [, parameters = "", kind = ""] = /^([<=>?]?[\d;:]*)([ -/]*[@-~])$/.exec(body) ?? [];
  switch (kind) {
    case "c": // DA1, DA2, DA3
      return /^[>=]?[\d;]*$/.test(parameters);
    case "n": // DSR: status, cursor, colour scheme …
      return !parameters.startsWith(">");
    case "x": // DECREQTPARM
    case "$p": // DECRQM
    case "$u": // DECRQTSR
    case "&u": // DECRQUPSS
    case "$w": // DECRQPSR
    case "*y": // DECRQCRA
      return true;
    case "q": // XTVERSION
      return parameters.startsWith(">");
    case "u": // Kitty's keyboard: which flags?
      return parameters === "?";
    case "S": // XTSMGRAPHICS
      return parameters.startsWith("?");
    case "t": // Window reports; what moves or resizes the window has smaller numbers, or 22 and 23.
      return /^(?:1[13-9]|2[01])(?:;|$)/.test(parameters);
    case "m": // XTQMODKEYS
      return parameters.startsWith("?");
    default:
      return false;
  }
}

/** Returns true for queries of colours, clipboard and the like: one parameter is only a question mark. */
function isCommandQuery(body: string): boolean {
  // If it ends with ESC \, the backslash is still there.
  const content = body.replace(/\\$/, "");
  return !TITLE.test(content) && content.split(";").includes("?");
}
