import { deserialize, serialize } from "node:v8";
import type { Boundary } from "../files/place/boundary.ts";
import type { Begun } from "../files/unfinished/unfinished-log.ts";

/** What one call may touch, as the agent says it with each: all of a Boundary but what a process has of its own. */
export type Scope = Omit<Boundary, "pinning" | "unfinished">;

/** The beginning of a call: a method of the Files service, by its local name. */
export interface Opening {
  readonly method: string;
  readonly scope: Scope;
}

/** A mount that does not answer. */
export interface StalledMount {
  /** What the system calls it as long as it is there. */
  readonly id: number;
  /** Where it is mounted. */
  readonly point: string;
  /** Other ways to it that were tried: links that lead there. */
  readonly links: readonly string[];
}

/** Who the process is to become. */
export interface ProcessUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** How the work is to be done: the agent's first word. */
export interface Hello {
  readonly kind: "hello";
  /** Undefined: the agent's own. */
  readonly user: ProcessUser | undefined;
  /** For its own cleaning up. */
  readonly everywhere: Scope;
  /** What others have left unfinished. */
  readonly begun: readonly (readonly [name: string, begun: Begun])[];
  readonly stalled: readonly StalledMount[];
  /** The process before is not gone: a thread of it hangs in one of the stalled mounts. */
  readonly hasPredecessor: boolean;
}

/** What the agent tells of no call. */
export type Order =
  | Hello
  | { readonly kind: "predecessor gone" }
  /** It was written down, or could not be. */
  | { readonly kind: "noted"; readonly id: number; readonly failure?: string }
  | { readonly kind: "ping" };

/** What the process tells of no call. */
export type Report =
  | { readonly kind: "ready" }
  /** It can't do its work. */
  | { readonly kind: "useless"; readonly reason: string }
  /** Something is to be written down before it is made. */
  | { readonly kind: "begin"; readonly id: number; readonly name: string; readonly begun: Begun }
  | { readonly kind: "over"; readonly name: string }
  | { readonly kind: "stalled"; readonly mounts: readonly StalledMount[] }
  /** Too many of its threads are stuck. */
  | { readonly kind: "replace"; readonly reason: string }
  | { readonly kind: "trouble"; readonly what: string; readonly message: string }
  | { readonly kind: "pong" };

/** What a call failed with. */
export interface Failure {
  readonly code: string;
  readonly message: string;
  readonly next: string;
}

/** The agent's words as bytes: they have numbers that JSON has not. */
export function orderBytes(order: Order | Opening): Buffer {
  return serialize(order);
}

export function readOrder(payload: Buffer): Order {
  const order: unknown = deserialize(payload);
  // Both ends are ours, of one version: only what it is has to be asked.
  const isOrder = (value: unknown): value is Order => isRecord(value) && typeof value.kind === "string";
  if (isOrder(order)) return order;
  throw new TypeError("the agent sent no order");
}

export function readOpening(payload: Buffer): Opening {
  const opening: unknown = deserialize(payload);
  const isOpening = (value: unknown): value is Opening =>
    isRecord(value) && typeof value.method === "string" && isRecord(value.scope);
  if (isOpening(opening)) return opening;
  throw new TypeError("the agent opened no call");
}

/** The process's words as bytes: JSON, since it may belong to another user, who can say what he likes. */
export function reportBytes(report: Report | Failure): Buffer {
  return Buffer.from(JSON.stringify(report));
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
