/** Operating system commands that never ask: icon and window title, which may well be a question mark. */
const TITLE = /^[012](?:;|$)/;

/**
 * Whether a control sequence asks the terminal something. The answer would be
 * typed: into the program that asked, while it is live, and into whatever runs now
 * when old output is shown again.
 */
export function isQuery(sequence: Uint8Array): boolean {
  const text = Buffer.from(sequence).toString("latin1");
  // An answerback, or what a terminal is, in the oldest form.
  if (text === "\x05" || text === "\x1bZ") return true;
  // Control characters in between are obeyed by themselves, and change nothing.
  const body = text.slice(2).replaceAll(/[^ -~]/g, "");
  switch (text[1]) {
    case "[":
      return isControlQuery(body);
    case "]":
      return isCommandQuery(body);
    case "P":
      // Settings and capabilities by name: DECRQSS, XTGETTCAP.
      return /^[$+]q/.test(body);
    case "_":
      // Kitty's images: unless told to be quiet, the terminal says how each went.
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

/** Colours, clipboard and the like: a parameter that is nothing but a question mark. */
function isCommandQuery(body: string): boolean {
  // Its end, where it is ESC \, has left the backslash.
  const content = body.replace(/\\$/, "");
  return !TITLE.test(content) && content.split(";").includes("?");
}
