import path from "node:path";
import type { PublicKey } from "@cmdop/proto";
import type { Log } from "../log.ts";
import { VERSION } from "../version.ts";
import { type AuditBounds, DEFAULT_AUDIT_BOUNDS } from "./bounds.ts";
import { CallRecorder } from "./call-recorder.ts";
import { Chains } from "./chains.ts";
import { Puller } from "./pull.ts";

/** Options of the relay's audit. */
export interface RelayAuditOptions {
  readonly stateDir: string;
  readonly bounds?: Partial<AuditBounds> | undefined;
  /** Returns the public key of a machine that has joined. */
  readonly machineKey: (machineId: string) => PublicKey | undefined;
  readonly log: Log;
  /** Called when the disk takes no writes. */
  readonly onTrouble: (error: unknown) => void;
}

/** The relay's audit: its own records, and those that it fetches from the machines. */
export class RelayAudit implements AsyncDisposable {
  readonly bounds: AuditBounds;
  readonly chains: Chains;
  readonly recorder: CallRecorder;
  readonly puller: Puller;

  /** Opens the chains and records the start. @throws CmdopError AuditUnavailable */
  constructor({ stateDir, bounds, machineKey, log, onTrouble }: RelayAuditOptions) {
    this.bounds = { ...DEFAULT_AUDIT_BOUNDS, ...bounds };
    this.chains = new Chains({
      directory: path.join(stateDir, "audit"),
      bounds: this.bounds,
      machineKey,
      log,
    });
    const { own } = this.chains;
    this.recorder = new CallRecorder({
      chain: {
        append: (body, options) => {
          const end = own.append(body, options);
          if (own.lacksReserve !== undefined) onTrouble(own.lacksReserve);
          this.chains.changed();
          return end;
        },
      },
      bounds: this.bounds,
      log,
      onTrouble,
    });
    this.puller = new Puller({ chains: this.chains, machineKey, log });
    this.recorder.started(VERSION);
  }

  /**
   * Writes the records that wait. Returns true if all are written and the reserve for the next time is there.
   */
  retry(): boolean {
    const isWritten = this.recorder.retry() && this.chains.own.hasReserve;
    if (isWritten) this.puller.retryNow();
    return isWritten;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.puller.close();
    this.recorder.close();
    this.chains.close();
  }
}
