import { type Approval, Approvals as ApprovalsService } from "@cmdop/proto";
import type { MachineCaller } from "./connection/caller.ts";

/** A call that waits for a person. */
export interface ApprovalInfo {
  /** A UUID made by the machine. */
  readonly approvalId: string;
  /** The asking key's id, or `local` for a caller of the machine's own socket. */
  readonly keyId: string;
  /** The owner's name for that key. */
  readonly keyName: string;
  /** The method's path: `/cmdop.v1.Exec/Start`. */
  readonly method: string;
  /** SHA-256 of the request, in hexadecimal. An approval is for this request and nothing else. */
  readonly requestHash: string;
  /**
   * The request that will run, in full: a field a line, with misleading characters made visible. A long value
   * is shown by its beginning and end, with its size and SHA-256.
   */
  readonly what: string;
  /** Time of the request, in milliseconds since 1970 by the machine's clock. */
  readonly askedAtMs: number;
  /** Time after which the call is refused, in milliseconds since 1970 by the machine's clock. */
  readonly expiresAtMs: number;
}

/** The calls on one machine that wait for a person. Needs the scope `approve`. */
export class Approvals {
  readonly #caller: MachineCaller;

  constructor(caller: MachineCaller) {
    this.#caller = caller;
  }

  /** Returns the calls that wait now, the oldest first. */
  async list(): Promise<ApprovalInfo[]> {
    const service = this.#caller.client(ApprovalsService);
    const { approvals } = await this.#caller.invoke("/cmdop.v1.Approvals/List", (call) =>
      service.list({}, call),
    );
    return approvals.map(approvalInfo);
  }

  /**
   * Approves one of them, as `list` has returned it.
   * @throws CmdopError NotFound when it no longer waits; PermissionDenied for the key that asked;
   *   ApprovalRefused where the waiting call is another one
   */
  approve({ approvalId, requestHash }: Pick<ApprovalInfo, "approvalId" | "requestHash">): Promise<void> {
    return this.#answer({ approvalId, requestHash, approve: true, reason: "" });
  }

  /**
   * Refuses one of them. `reason` is for the asking caller, at most 500 characters.
   * @throws CmdopError NotFound when it no longer waits
   */
  refuse(approvalId: string, reason = ""): Promise<void> {
    return this.#answer({ approvalId, requestHash: "", approve: false, reason });
  }

  async #answer(answer: {
    readonly approvalId: string;
    readonly requestHash: string;
    readonly approve: boolean;
    readonly reason: string;
  }): Promise<void> {
    const service = this.#caller.client(ApprovalsService);
    await this.#caller.invoke("/cmdop.v1.Approvals/Answer", (call) => service.answer(answer, call));
  }
}

function approvalInfo({ $typeName: _type, $unknown: _unknown, ...approval }: Approval): ApprovalInfo {
  return approval;
}
