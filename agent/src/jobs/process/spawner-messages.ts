/** What the agent asks of its spawner: start one command. */
export interface StartRequest {
  readonly id: number;
  readonly program: string;
  readonly args: readonly string[];
  /** An absolute path. */
  readonly cwd: string;
  /** All that the command gets: nothing is added. */
  readonly env: Readonly<Record<string, string>>;
  /** Descriptors of the agent for standard input, output and error; null is /dev/null. */
  readonly stdio: readonly [number | null, number | null, number | null];
}

/** What is left of an error on its way between processes. */
export interface PlainError {
  readonly message: string;
  readonly code?: string | undefined;
  readonly errno?: number | undefined;
  readonly syscall?: string | undefined;
  readonly path?: string | undefined;
}

/** What the spawner tells. Each request is answered by the first of `started`, `failed` and `unable`. */
export type Report =
  | { readonly kind: "ready" }
  | { readonly kind: "started"; readonly id: number; readonly pid: number }
  /** The system refused to start this command. */
  | { readonly kind: "failed"; readonly id: number; readonly error: PlainError }
  /** The spawner's own trouble, before anything was started. */
  | { readonly kind: "unable"; readonly id: number; readonly error: PlainError }
  | {
      readonly kind: "exited";
      readonly id: number;
      readonly code: number | null;
      readonly signal: string | null;
    };

export function isStartRequest(message: unknown): message is StartRequest {
  if (!isRecord(message)) return false;
  const { id, program, args, cwd, env, stdio } = message;
  return (
    isId(id) &&
    typeof program === "string" &&
    isListOf(args, isString) &&
    typeof cwd === "string" &&
    isRecord(env) &&
    Object.values(env).every(isString) &&
    isListOf(stdio, (fd) => fd === null || isId(fd)) &&
    stdio.length === 3
  );
}

export function isReport(message: unknown): message is Report {
  if (!isRecord(message)) return false;
  const { kind, id, pid, error, code, signal } = message;
  switch (kind) {
    case "ready":
      return true;
    case "started":
      // 0 and 1 would be our own group and everybody's, were they signaled.
      return isId(id) && isId(pid) && pid > 1;
    case "failed":
    case "unable":
      return isId(id) && isPlainError(error);
    case "exited":
      return isId(id) && (code === null || isId(code)) && (signal === null || isString(signal));
    default:
      return false;
  }
}

/** An error as plain data; whatever else was thrown, as its text. */
export function plainError(error: unknown): PlainError {
  if (!isPlainError(error)) return { message: String(error) };
  const { message, code, errno, syscall, path } = error;
  return { message, code, errno, syscall, path };
}

function isPlainError(error: unknown): error is PlainError {
  if (typeof error !== "object" || error === null || !("message" in error)) return false;
  const { message, code, errno, syscall, path }: Partial<Record<keyof PlainError, unknown>> = error;
  return (
    isString(message) &&
    [code, syscall, path].every((field) => field === undefined || isString(field)) &&
    (errno === undefined || Number.isInteger(errno))
  );
}

/** Descriptors, process ids, exit codes and our own numbers: integers from 0. */
function isId(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) >= 0;
}

function isString(value: unknown): value is string {
  return typeof value === "string";
}

function isListOf<T>(value: unknown, isItem: (item: unknown) => item is T): value is T[];
function isListOf(value: unknown, isItem: (item: unknown) => boolean): value is unknown[];
function isListOf(value: unknown, isItem: (item: unknown) => boolean): value is unknown[] {
  return Array.isArray(value) && value.every(isItem);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
