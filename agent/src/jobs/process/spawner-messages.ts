/** How a process ended: one of the two is set. */
export interface Exit {
  readonly code: number | null;
  readonly signal: string | null;
}

/** What a process reads from or writes to: a descriptor of the agent, nothing (/dev/null), or a socket to be made with a token. */
export type RequestedEnd = number | null | { readonly token: string };

/** What the agent asks of its spawner: start one command. */
export interface StartRequest {
  readonly id: number;
  readonly program: string;
  readonly args: readonly string[];
  /** An absolute path. */
  readonly cwd: string;
  /** All that the command gets: nothing is added. */
  readonly env: Readonly<Record<string, string>>;
  /** Standard input, output and error, and what follows them. */
  readonly stdio: readonly RequestedEnd[];
  /** Whether it is a job's, which then has a cgroup of its own, or a helper's. */
  readonly isJob: boolean;
  /** When it is too late to begin, in milliseconds by the clock that all processes of the system share (see `systemMs`). */
  readonly expiresAtMs: number;
}

/** What the spawner tells. Each request is answered by `started` or `failed`. */
export type Report =
  | { readonly kind: "ready" }
  | {
      readonly kind: "started";
      readonly id: number;
      readonly pid: number;
      /** The directory of the cgroup that it was started in, alone; absent where there is none. */
      readonly cgroup?: string | undefined;
    }
  /** Nothing was started, and why, in words. */
  | { readonly kind: "failed"; readonly id: number; readonly reason: string }
  | {
      readonly kind: "exited";
      readonly id: number;
      readonly code: number | null;
      readonly signal: string | null;
    };

/** Monotonic, and the same in each process. */
export function systemMs(): number {
  return Number(process.hrtime.bigint() / 1_000_000n);
}

export function isStartRequest(message: unknown): message is StartRequest {
  if (!isRecord(message)) return false;
  const { id, program, args, cwd, env, stdio, isJob, expiresAtMs } = message;
  return (
    isId(id) &&
    isId(expiresAtMs) &&
    typeof isJob === "boolean" &&
    typeof program === "string" &&
    isListOf(args, isString) &&
    typeof cwd === "string" &&
    isRecord(env) &&
    Object.values(env).every(isString) &&
    isListOf(stdio, (end) => end === null || isId(end) || (isRecord(end) && isString(end.token)))
  );
}

export function isReport(message: unknown): message is Report {
  if (!isRecord(message)) return false;
  const { kind, id, pid, cgroup, reason, code, signal } = message;
  switch (kind) {
    case "ready":
      return true;
    case "started":
      // 0 and 1 would be our own group and everybody's, were they signaled.
      return isId(id) && isId(pid) && pid > 1 && (cgroup === undefined || isString(cgroup));
    case "failed":
      return isId(id) && isString(reason);
    case "exited":
      return isId(id) && (code === null || isId(code)) && (signal === null || isString(signal));
    default:
      return false;
  }
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
