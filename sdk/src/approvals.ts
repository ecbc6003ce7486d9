import { type Approval, Approvals as ApprovalsService } from "@cmdop/proto";
import type { MachineCaller } from "./connection/caller.ts";

/** A call that waits for a person. */
export interface ApprovalInfo {
  /** A UUID made by the machine. */
  readonly approvalId: string;
  /** The asking key's id, or `local` for a caller of the machine's own socket. */
  readonly keyId: string;
  /** What the owner calls that key. */
  readonly keyName: string;
  /** The method's path: `/cmdop.v1.Exec/Start`. */
  readonly method: string;
  /** What tells this call from every other, SHA-256 in hexadecimal: a yes is for this and nothing else. */
  readonly requestHash: string;
  /**
   * What will run: all that the request says, a field a line, with everything made
   * visible that could mislead; of what is long both ends, its size and SHA-256.
   */
  readonly what: string;
  /** When it was asked, in milliseconds since 1970 by the machine's clock. */
  readonly askedAtMs: number;
  /** When silence becomes a no, in milliseconds since 1970 by the machine's clock. */
  readonly expiresAtMs: number;
}

/** The calls on one machine that wait for a person. Needs the scope `approve`. */
export class Approvals {
  readonly #caller: MachineCaller;

  constructor(caller: MachineCaller) {
    this.#caller = caller;
  }

  /** The calls that wait now, the oldest first. */
  async list(): Promise<ApprovalInfo[]> {
    const service = this.#caller.client(ApprovalsService);
    const { approvals } = await this.#caller.invoke("/cmdop.v1.Approvals/List", (call) =>
      service.list({}, call),
    );
    return approvals.map(approvalInfo);
  }

  /**
   * Lets one of them run, as `list` has told it.
   * @throws CmdopError NotFound when it waits no longer; PermissionDenied for the asking key itself;
   *   ApprovalRefused where the call that waits is another
   */
  approve({ approvalId, requestHash }: Pick<ApprovalInfo, "approvalId" | "requestHash">): Promise<void> {
    return this.#answer({ approvalId, requestHash, approve: true, reason: "" });
  }

  /** Refuses one of them. `reason`: for the asking caller, at most 500 characters. @throws CmdopError NotFound when it waits no longer */
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
