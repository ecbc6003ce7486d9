import {
  Agent,
  Approvals,
  agentTypeName,
  Exec,
  Files,
  FilesModeUse,
  isMessageOf,
  Jobs,
  Machine,
  type MessageOf,
  type MessageType,
  runApproveName,
  Sessions,
  visible,
} from "@cmdop/proto";
import { type RecordTextBounds, recordText } from "./record-text.ts";

type Describer = (request: MessageOf<MessageType>) => string;

/**
 * Describes a call in one line for people: complete, unambiguous (words are quoted as a POSIX shell would)
 * and with everything misleading made visible. It names variables but not their values, and never shows input
 * or content. Returns an empty text for a method whose name says everything.
 */
export function describe(path: string, request: MessageOf<MessageType>): string {
  return visible(said(path, request));
}

/** Describes a call for a record, within bounds. */
export function describeWithin(
  path: string,
  request: MessageOf<MessageType>,
  bounds: RecordTextBounds,
): string {
  return recordText(said(path, request), bounds);
}

function said(path: string, request: MessageOf<MessageType>): string {
  return DESCRIBERS.get(path)?.(request) ?? "";
}

const DESCRIBERS: ReadonlyMap<string, Describer> = new Map([
  on("/cmdop.v1.Exec/Start", Exec.method.start.input, (request) => {
    const { command, escaped, lineShell, login, cwd, env, timeoutMs, stdinOpen, stdin } = request;
    return fields(
      command.case === "shell" ? `shell ${quoted(command.value)}` : `argv ${words(command.value?.args)}`,
      escaped && "bytes as \\xE9",
      lineShell !== "" && `by ${quoted(lineShell)}`,
      login !== undefined && (login ? "with the profile" : "without the profile"),
      cwd !== "" && `cwd ${quoted(cwd)}`,
      variables(env),
      timeoutMs > 0 && `time limit ${timeoutMs} ms`,
      stdin.length > 0 && `input ${stdin.length} bytes`,
      stdinOpen && "input to follow",
    );
  }),

  on("/cmdop.v1.Sessions/Create", Sessions.method.create.input, ({ shell, cwd, env, idleTimeoutMs }) =>
    fields(
      shell.length === 0 ? "session of the login shell" : `session of ${words(shell)}`,
      cwd !== "" && `cwd ${quoted(cwd)}`,
      variables(env),
      idleTimeoutMs > 0 && `idle limit ${idleTimeoutMs} ms`,
    ),
  ),
  on("/cmdop.v1.Sessions/Resize", Sessions.method.resize.input, ({ sessionId, size }) =>
    fields(jobOf(sessionId), size !== undefined && `${size.cols} by ${size.rows}`),
  ),
  on("/cmdop.v1.Sessions/Screen", Sessions.method.screen.input, ({ sessionId }) => jobOf(sessionId)),
  on("/cmdop.v1.Sessions/History", Sessions.method.history.input, ({ sessionId }) => jobOf(sessionId)),

  on("/cmdop.v1.Jobs/Attach", Jobs.method.attach.input, ({ jobId }) => jobOf(jobId)),
  on("/cmdop.v1.Jobs/Input", Jobs.method.input.input, ({ jobId }) => jobOf(jobId)),
  on("/cmdop.v1.Jobs/Cancel", Jobs.method.cancel.input, ({ jobId }) => jobOf(jobId)),
  on("/cmdop.v1.Jobs/Signal", Jobs.method.signal.input, ({ jobId, signal }) =>
    fields(`signal ${quoted(signal)}`, jobOf(jobId)),
  ),

  on(
    "/cmdop.v1.Agent/Run",
    Agent.method.run.input,
    ({ prompt, agentType, outputSchema, maxSteps, maxTokens, timeoutMs, approve }) =>
      fields(
        `agent ${agentTypeName(agentType) ?? "of an unknown type"}`,
        `prompt ${quoted(prompt)}`,
        outputSchema !== "" && `output schema ${outputSchema.length} characters`,
        maxSteps > 0 && `steps ${maxSteps}`,
        maxTokens > 0 && `tokens ${maxTokens}`,
        timeoutMs > 0 && `time limit ${timeoutMs} ms`,
        approve > 0 && `its caller approves ${runApproveName(approve) ?? "what is unknown"}`,
      ),
  ),
  on("/cmdop.v1.Agent/Attach", Agent.method.attach.input, ({ runId }) => jobOf(runId)),
  on("/cmdop.v1.Agent/Cancel", Agent.method.cancel.input, ({ runId }) => jobOf(runId)),
  on("/cmdop.v1.Agent/Approve", Agent.method.approve.input, ({ runId, callId, approve, reason }) =>
    fields(
      `${approve ? "yes" : "no"} to ${quoted(callId)}`,
      jobOf(runId),
      reason !== "" && `reason ${quoted(reason)}`,
    ),
  ),

  on("/cmdop.v1.Files/List", Files.method.list.input, ({ path }) => quoted(path)),
  on("/cmdop.v1.Files/Read", Files.method.read.input, ({ path }) => quoted(path)),
  on("/cmdop.v1.Files/Info", Files.method.info.input, ({ path }) => quoted(path)),
  on("/cmdop.v1.Files/ReadStream", Files.method.readStream.input, ({ path }) => quoted(path)),
  on("/cmdop.v1.Files/Walk", Files.method.walk.input, ({ path, names }) =>
    fields(quoted(path), named(names)),
  ),
  on("/cmdop.v1.Files/Search", Files.method.search.input, ({ path, names, content }) =>
    fields(quoted(path), named(names), content !== undefined && `lines with ${quoted(content)}`),
  ),
  on("/cmdop.v1.Files/Write", Files.method.write.input, (request) =>
    fields(
      quoted(request.path),
      `${request.content.length} bytes`,
      permissions(request.mode, request.modeUse),
      request.parents && "create parents",
      condition(request),
    ),
  ),
  on("/cmdop.v1.Files/Append", Files.method.append.input, ({ path, content, mode, parents, ifSize }) =>
    fields(
      quoted(path),
      `${content.length} bytes more`,
      permissions(mode),
      parents && "create parents",
      ifSize !== undefined && `if it has ${ifSize} bytes`,
    ),
  ),
  on("/cmdop.v1.Files/Edit", Files.method.edit.input, (request) =>
    fields(
      quoted(request.path),
      `${request.old.length} bytes by ${request.new.length}`,
      request.all && "every match",
      condition(request),
    ),
  ),
  on("/cmdop.v1.Files/WriteStream", Files.method.writeStream.input, ({ header }) =>
    fields(
      quoted(header?.path ?? ""),
      permissions(header?.mode, header?.modeUse),
      header?.parents === true && "create parents",
      header !== undefined && condition(header),
    ),
  ),
  on("/cmdop.v1.Files/Partial", Files.method.partial.input, ({ path, discard }) =>
    fields(quoted(path), discard && "discard"),
  ),
  on("/cmdop.v1.Files/Symlink", Files.method.symlink.input, ({ path, target, overwrite }) =>
    fields(words([path, target]), overwrite && "overwrite"),
  ),
  on("/cmdop.v1.Files/Delete", Files.method.delete.input, ({ path, recursive }) =>
    fields(quoted(path), recursive && "recursive"),
  ),
  on("/cmdop.v1.Files/Mkdir", Files.method.mkdir.input, ({ path, mode, modeUse, parents }) =>
    fields(quoted(path), permissions(mode, modeUse), parents && "create parents"),
  ),
  on("/cmdop.v1.Files/Copy", Files.method.copy.input, ({ source, destination, recursive, overwrite }) =>
    fields(words([source, destination]), recursive && "recursive", overwrite && "overwrite"),
  ),
  on("/cmdop.v1.Files/Move", Files.method.move.input, ({ source, destination, overwrite }) =>
    fields(words([source, destination]), overwrite && "overwrite"),
  ),

  on("/cmdop.v1.Machine/Explain", Machine.method.explain.input, ({ method, paths }) =>
    words([method, ...paths]),
  ),
  on(
    "/cmdop.v1.Approvals/Answer",
    Approvals.method.answer.input,
    ({ approvalId, approve }) => `${approve ? "approve" : "refuse"} ${quoted(approvalId)}`,
  ),
]);

/** Returns the id of the job that a request names, if it names one. */
export function jobIdOf(request: MessageOf<MessageType>): string | undefined {
  const id: unknown =
    Reflect.get(request, "jobId") ?? Reflect.get(request, "sessionId") ?? Reflect.get(request, "runId");
  return typeof id === "string" ? id : undefined;
}

function on<T extends MessageType>(
  path: string,
  type: T,
  say: (request: MessageOf<T>) => string,
): [string, Describer] {
  return [path, (request) => (isMessageOf(type, request) ? say(request) : "")];
}

function named(globs: readonly string[]): string | false {
  return globs.length > 0 && `names ${words(globs)}`;
}

function condition(request: { ifMatch?: Uint8Array | undefined; ifAbsent?: boolean }): string | false {
  if (request.ifAbsent === true) return "if absent";
  return request.ifMatch !== undefined && "if unchanged";
}

/**
 * Joins fields with comma and space. An unquoted word can't contain these, so the separation is unambiguous.
 */
function fields(...values: (string | false)[]): string {
  return values.filter((value) => value !== false && value !== "").join(", ");
}

function words(list: readonly string[] = []): string {
  return list.map(quoted).join(" ");
}

/** Quotes a word for a POSIX shell, unless nothing in it could be misread. */
export function quoted(word: string): string {
  // Split and join take a third of the time of a replacement where there are many quotes.
  return /^[\w@%+=:./-]+$/.test(word) ? word : `'${word.split("'").join(`'"'"'`)}'`;
}

function jobOf(id: string): string {
  return `job ${quoted(id)}`;
}

function variables(env: Readonly<Record<string, string>>): string | false {
  const names = Object.keys(env).sort();
  return names.length > 0 && `env ${words(names)}`;
}

function permissions(mode: number | undefined, use?: FilesModeUse): string | false {
  if (mode === undefined) return false;
  return `mode ${mode.toString(8)}${use === FilesModeUse.ALWAYS ? " also where it exists" : ""}`;
}
