import {
  Agent,
  CmdopError,
  counted,
  Exec,
  excerpt,
  Files,
  isMessageOf,
  type MessageField,
  type MessageOf,
  type MessageType,
  messageFields,
  methodPath,
  Sessions,
} from "@cmdop/proto";
import { quoted } from "../audit/describe.ts";
import { isStandardShell, PLAIN_SHELLS, type ShellRules, STANDARD_SHELL } from "../login/line-shell.ts";
import { sha256 } from "./binding.ts";

/**
 * Most characters of one field: as many as a person can review on one screen. A longer field shows both ends.
 */
const MAX_LINE_CHARACTERS = 2_000;

/**
 * Most bytes of values that must be shown as they are (command lines, arguments, variables, input, paths):
 * nobody reviews more, so too much would be left out. Content of files, prompts and schemas may be longer,
 * because their hash stands for them.
 */
const MAX_SHOWN_BYTES = 32 * 1024;

/** Most arguments, variables and patterns of one request together. */
const MAX_SHOWN_VALUES = 1_000;

/** Fields whose hash can stand for the part that is not shown. */
const CONTENT: ReadonlySet<string> = new Set(["content", "data", "old", "new", "prompt", "outputSchema"]);

/** Request types of the methods that can wait, by the method's path. */
const REQUESTS: ReadonlyMap<string, MessageType> = new Map(
  [Exec, Sessions, Files, Agent].flatMap((service) =>
    service.methods.map((method): [string, MessageType] => [methodPath(service, method), method.input]),
  ),
);

/** A field of a request, as shown to a person. */
interface Line {
  readonly text: string;
  readonly isWhole: boolean;
  readonly hasMarks: boolean;
}

/**
 * Describes a waiting call for a person: one line for every field with a value, whatever the method. It shows
 * more than the audit keeps: values of variables and input decide what runs as much as the command does (`sh`
 * with a script as input, PATH), so nobody could approve without them. The longest line comes first and the
 * warnings last, so that nothing pushes another line out of sight.
 */
export async function questionText(
  path: string,
  request: MessageOf<MessageType>,
  shells: ShellRules = PLAIN_SHELLS,
): Promise<string> {
  const lines: Line[] = [];
  for (const field of fieldsOf(path, request)) lines.push(await lineOf(field));
  lines.sort((one, other) => other.text.length - one.text.length);
  const said = lines.map(({ text }) => text);
  return [...said, ...unsaid(request, shells), ...emptied(request), ...warnings(request, lines)].join("\n");
}

/**
 * Throws if a request is too large for a person to review. It only counts, and stops at the limit; it is
 * called before anything is built or hashed.
 * @throws CmdopError MessageTooLarge
 */
export function checkShowable(path: string, request: MessageOf<MessageType>): void {
  let bytes = 0;
  let values = 0;
  const count = (...texts: readonly unknown[]): void => {
    values += 1;
    for (const text of texts)
      bytes += typeof text === "string" || text instanceof Uint8Array ? text.length : 1;
    if (bytes <= MAX_SHOWN_BYTES && values <= MAX_SHOWN_VALUES) return;
    throw new CmdopError(
      "MessageTooLarge",
      `The call has more than ${MAX_SHOWN_BYTES} bytes or ${MAX_SHOWN_VALUES} values to show, too many for a person to approve.`,
      { next: "Put the command, or its input, into a file on the machine, and run that." },
    );
  };
  for (const field of fieldsOf(path, request)) {
    if (field.kind === "list") for (const value of field.values) count(value);
    else if (field.kind === "map") for (const name in field.values) count(name, field.values[name]);
    else if (!CONTENT.has(field.name)) count(field.value);
  }
}

/**
 * Returns the fields of a request.
 * @throws CmdopError Unimplemented for a method about which no person is asked
 */
function fieldsOf(path: string, request: MessageOf<MessageType>): Generator<MessageField> {
  const type = REQUESTS.get(path);
  if (type !== undefined && isMessageOf(type, request)) return messageFields(type, request);
  throw new CmdopError("Unimplemented", `Nobody can be asked about ${path}: a call of it can't be shown.`);
}

async function lineOf(field: MessageField): Promise<Line> {
  const { name } = field;
  const value = saidBy(field);
  const { shown, isWhole, hasMarks } = excerpt(value, MAX_LINE_CHARACTERS);
  if (isWhole && name !== "content") return { text: `${name}: ${shown}`, isWhole, hasMarks };
  const bytes = typeof value === "string" ? Buffer.byteLength(value) : value.length;
  const hash = await sha256([value]);
  return { text: `${name} (${counted(bytes)} bytes, SHA-256 ${hash}): ${shown}`, isWhole, hasMarks };
}

/** Returns the value of a field: words quoted for a POSIX shell, permissions in octal. */
function saidBy(field: MessageField): string | Uint8Array {
  if (field.kind === "list") return field.values.map((word) => quoted(String(word))).join(" ");
  if (field.kind === "map") {
    const sorted = Object.entries(field.values).sort(([one], [other]) => (one < other ? -1 : 1));
    return sorted.map(([name, value]) => `${quoted(name)}=${quoted(String(value))}`).join(" ");
  }
  return field.name === "mode" && field.kind === "text" ? Number(field.value).toString(8) : field.value;
}

/** Describes the settings that the machine chooses where a command leaves them open. */
function unsaid(
  request: MessageOf<MessageType>,
  { lineShell = STANDARD_SHELL, readsProfile }: ShellRules,
): string[] {
  if (!isMessageOf(Exec.method.start.input, request)) return [];
  const isOpen = request.command.case === "shell" && request.lineShell === "" && !isStandardShell(lineShell);
  return [
    ...(isOpen ? [`lineShell: ${lineShell} (this machine's)`] : []),
    ...(readsProfile && request.login === undefined ? ["login: yes (this machine's policy)"] : []),
  ];
}

/** Mentions empty content explicitly, because it may replace other content. */
function emptied(request: MessageOf<MessageType>): string[] {
  const isWrite = isMessageOf(Files.method.write.input, request) && request.content.length === 0;
  const isRemoval = isMessageOf(Files.method.edit.input, request) && request.new.length === 0;
  return [...(isWrite ? ["content: empty"] : []), ...(isRemoval ? ["new: empty"] : [])];
}

function warnings(request: MessageOf<MessageType>, lines: readonly Line[]): string[] {
  return [
    ...(isMessageOf(Exec.method.start.input, request) && request.stdinOpen
      ? ["not known yet: whatever its caller sends to its input later"]
      : []),
    ...(isMessageOf(Sessions.method.create.input, request)
      ? ["not known yet: whatever its caller types later"]
      : []),
    ...(isMessageOf(Files.method.writeStream.input, request)
      ? ["not known yet: the content, its size and its hash; whatever its caller sends"]
      : []),
    ...(lines.every(({ isWhole }) => isWhole)
      ? []
      : ["careful: not all of it is shown; compare the SHA-256 if you have the whole"]),
    ...(lines.some(({ hasMarks }) => hasMarks)
      ? ["careful: \\u{…} stands for what can't be seen, or what looks like another character"]
      : []),
  ];
}
