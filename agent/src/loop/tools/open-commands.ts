import { within } from "@cmdop/kit";
import { asData, CmdopError, printable } from "@cmdop/proto";
import type { Job, Outcome } from "../../jobs/index.ts";
import { LOOP_LIMITS } from "../limits.ts";
import { Ends } from "./data.ts";
import type { ToolAnswer } from "./tools.ts";

/** A command of a run, followed from its beginning: what it says is kept until the model reads it. */
export class OpenCommand {
  readonly job: Job;
  readonly #read: Promise<void>;
  #unread = new Ends();
  #outcome: Outcome | undefined;

  constructor(job: Job) {
    this.job = job;
    // Whoever looks is told what went wrong; until then nobody listens.
    this.#read = this.#follow().catch((thrown) => {
      this.#outcome = { kind: "unknown", reason: CmdopError.from(thrown).message, durationMs: 0 };
    });
  }

  /** Waits for its end, for `waitMs` at most (for as long as it takes unless given), and says what it has said since the last look. */
  async look(waitMs?: number): Promise<ToolAnswer & { readonly ended: boolean }> {
    await (waitMs === undefined ? this.#read : within(this.#read, waitMs));
    const ended = this.#outcome !== undefined;
    const output = String(this.#unread);
    this.#unread = new Ends();
    const state = this.#outcome === undefined ? this.#goesOn() : inWords(this.#outcome);
    const text = output === "" ? `${state}; no output` : `${state}\n${asData(output)}`;
    const failed = ended && !(this.#outcome?.kind === "exited" && this.#outcome.exitCode === 0);
    return { ok: !failed, text, ended };
  }

  async #follow(): Promise<void> {
    const decoders = { stdout: new TextDecoder(), stderr: new TextDecoder(), events: new TextDecoder() };
    for await (const event of this.job.events({ after: 0n, attached: false, holds: true })) {
      if (event.kind === "output")
        this.#unread.add(decoders[event.channel].decode(event.bytes, { stream: true }));
      if (event.kind === "dropped") this.#unread.add(`[${event.bytes} bytes are gone]`);
      if (event.kind === "ended") this.#outcome = event.outcome;
    }
  }

  #goesOn(): string {
    const { id } = this.job.identity;
    return `still running, as jobId ${id}: wait_command looks again, cancel_command ends it`;
  }
}

/** The commands of a run whose end its model has not read. */
export class OpenCommands {
  readonly #open = new Map<string, OpenCommand>();

  /** To be asked before one is started. @throws CmdopError LimitExceeded */
  checkRoom(): void {
    if (this.#open.size < LOOP_LIMITS.maxOpenCommands) return;
    throw new CmdopError("LimitExceeded", `${this.#open.size} commands of this run are open, its limit.`, {
      next: "Look at those that go on with wait_command, or end them with cancel_command.",
    });
  }

  add(command: OpenCommand): void {
    this.#open.set(command.job.identity.id, command);
  }

  /** @throws CmdopError JobUnknown */
  get(jobId: string): OpenCommand {
    const command = this.#open.get(jobId);
    if (command !== undefined) return command;
    throw new CmdopError(
      "JobUnknown",
      `No command of this run is open as ${JSON.stringify(jobId.slice(0, 36))}.`,
      {
        next: "Name the jobId of a command that was still running; the end of each is told once.",
      },
    );
  }

  /** As `look` of a command that is open; one that has ended is closed by it. */
  async look(command: OpenCommand, waitMs?: number): Promise<ToolAnswer> {
    const { ended, ...answer } = await command.look(waitMs);
    if (ended) this.#open.delete(command.job.identity.id);
    return answer;
  }
}

/** How a job ended, for the model. */
export function inWords(outcome: Outcome): string {
  switch (outcome.kind) {
    case "exited":
      return `exit code ${outcome.exitCode}`;
    case "signaled":
      return `ended by ${outcome.signal}`;
    default:
      return "reason" in outcome
        ? `${outcome.kind}: ${printable(outcome.reason).replace(/\.$/, "")}`
        : outcome.kind;
  }
}
