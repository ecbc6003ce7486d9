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

/** Characters of one field: what a person overlooks on one screen. Of what is longer both ends are shown. */
const MAX_LINE_CHARACTERS = 2_000;

/**
 * Bytes of what must be shown as it is (command lines, arguments, variables,
 * input, paths): of more than a person reads before a yes, too much would be
 * left out. Content of files, prompts and schemas may be longer: their hash
 * stands for them.
 */
const MAX_SHOWN_BYTES = 32 * 1024;

/** Arguments, variables and patterns of one request together. */
const MAX_SHOWN_VALUES = 1_000;

/** The fields whose hash can stand for what of them is not shown. */
const CONTENT: ReadonlySet<string> = new Set(["content", "data", "old", "new", "prompt", "outputSchema"]);

/** What the requests are that can wait, by the method's path. */
const REQUESTS: ReadonlyMap<string, MessageType> = new Map(
  [Exec, Sessions, Files, Agent].flatMap((service) =>
    service.methods.map((method): [string, MessageType] => [methodPath(service, method), method.input]),
  ),
);

/** A field of a request as a person sees it. */
interface Line {
  readonly text: string;
  readonly isWhole: boolean;
  readonly hasMarks: boolean;
}

/**
 * What a person is shown of a call that waits: every field of its request that
 * says anything, a line each, whatever its method is. It says more than the audit
 * keeps: values of variables and input decide what runs as much as the command
 * does (`sh` with a script on its input, PATH), so nobody could approve without
 * them. The longest line comes first, and what to be careful about last: nothing
 * pushes another out of sight.
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
 * Refuses what nobody could overlook. It only counts, and stops counting where
 * it is too much: to be asked before anything is built or hashed.
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
      `What would run has more than ${MAX_SHOWN_BYTES} bytes or ${MAX_SHOWN_VALUES} values, and nobody can approve what can't be shown.`,
      { next: "Put the command, or its input, into a file on the machine, and run that." },
    );
  };
  for (const field of fieldsOf(path, request)) {
    if (field.kind === "list") for (const value of field.values) count(value);
    else if (field.kind === "map") for (const name in field.values) count(name, field.values[name]);
    else if (!CONTENT.has(field.name)) count(field.value);
  }
}

/** @throws CmdopError Unimplemented for a method that no person is asked about */
function fieldsOf(path: string, request: MessageOf<MessageType>): Generator<MessageField> {
  const type = REQUESTS.get(path);
  if (type !== undefined && isMessageOf(type, request)) return messageFields(type, request);
  throw new CmdopError(
    "Unimplemented",
    `Nobody can be asked about ${path}: what it would do can't be shown.`,
  );
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

/** What a field says: words as a POSIX shell would take them, permissions as people write them. */
function saidBy(field: MessageField): string | Uint8Array {
  if (field.kind === "list") return field.values.map((word) => quoted(String(word))).join(" ");
  if (field.kind === "map") {
    const sorted = Object.entries(field.values).sort(([one], [other]) => (one < other ? -1 : 1));
    return sorted.map(([name, value]) => `${quoted(name)}=${quoted(String(value))}`).join(" ");
  }
  return field.name === "mode" && field.kind === "text" ? Number(field.value).toString(8) : field.value;
}

/** What the machine adds to a command that leaves it open. */
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

/** Content that is empty says much where it replaces another. */
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
      : ["careful: not all of it is shown; who has the whole can compare its SHA-256"]),
    ...(lines.some(({ hasMarks }) => hasMarks)
      ? ["careful: \\u{…} stands for what can't be seen, or what looks like another character"]
      : []),
  ];
}
