import { BoundedMap, within } from "@cmdop/kit";
import { asData, CmdopError, printable, TerminalText } from "@cmdop/proto";
import type { Job, JobEvent, Outcome } from "../../jobs/index.ts";
import { LOOP_LIMITS } from "../limits.ts";
import type { ToolAnswer } from "./tools.ts";

/** Most characters of a command's output in one answer. */
const maxCharacters = LOOP_LIMITS.maxToolCharacters;

/** A command of a run, followed from its start: its output is kept until the model reads it. */
export class OpenCommand {
  readonly job: Job;
  readonly #read: Promise<void>;
  readonly #unread: TerminalText;
  #outcome: Outcome | undefined;

  /** `canBeReadAgain`: true if the model has the tool to read output again. */
  constructor(job: Job, canBeReadAgain: boolean) {
    this.job = job;
    const { id } = job.identity;
    const advice = (offset: number): string => `wait_command with jobId ${id} and offset ${offset} shows it`;
    this.#unread = new TerminalText({ maxCharacters, advice: canBeReadAgain ? advice : undefined });
    // `look` reports a failure; until then nobody handles the rejection.
    this.#read = this.#follow().catch((thrown) => {
      this.#outcome = { kind: "unknown", reason: CmdopError.from(thrown).message, durationMs: 0 };
    });
  }

  /**
   * Waits for the command's end, `waitMs` at most (without it, as long as it takes), and returns its output
   * since the last look.
   */
  async look(waitMs?: number): Promise<ToolAnswer & { readonly ended: boolean }> {
    await (waitMs === undefined ? this.#read : within(this.#read, waitMs));
    const ended = this.#outcome !== undefined;
    const output = this.#unread.take();
    const state = this.#outcome === undefined ? this.#goesOn() : inWords(this.#outcome);
    const text = output === "" ? `${state}; no output` : `${state}\n${asData(output)}`;
    const failed = ended && !(this.#outcome?.kind === "exited" && this.#outcome.exitCode === 0);
    return { ok: !failed, text, ended };
  }

  /** Reads its output again from an offset on, as much as one answer holds. */
  async readAgain(offset: number): Promise<ToolAnswer> {
    const end = Number(this.job.journal.end);
    // A text has no more characters than bytes, so nothing has to be left out.
    const until = Math.min(end, offset + maxCharacters);
    const text = new TerminalText({ maxCharacters });
    const events = this.job.events({ after: BigInt(offset), attached: false, holds: false });
    let at = offset;
    for await (const event of events) {
      if (at >= until || event.kind === "ended") break;
      if (event.kind === "output") {
        const bytes = event.bytes.subarray(0, until - at);
        takeOutput(text, { ...event, bytes });
        at += bytes.length;
      } else if (event.kind === "dropped") {
        takeOutput(text, event);
        at += Number(event.bytes);
      }
    }
    const more = at < end ? `\n${end} bytes in all so far; go on with offset ${at}` : "";
    return { ok: true, text: `${asData(text.text())}${more}` };
  }

  async #follow(): Promise<void> {
    for await (const event of this.job.events({ after: 0n, attached: false, holds: true })) {
      takeOutput(this.#unread, event);
      if (event.kind === "ended") this.#outcome = event.outcome;
    }
  }

  #goesOn(): string {
    const { id } = this.job.identity;
    return `still running, as jobId ${id}: wait_command looks again, cancel_command ends it`;
  }
}

/** Adds the output in a job's event to the text. */
function takeOutput(text: TerminalText, event: JobEvent): void {
  if (event.kind === "output")
    text.add(event.bytes, { channel: event.channel, offset: Number(event.offset) });
  if (event.kind === "dropped") text.note(`[${event.bytes} bytes are gone]`);
}

/**
 * The commands of a run: the open ones, whose end the model has not read, and the latest ones, whose output
 * can be read again.
 */
export class OpenCommands {
  readonly #open = new Map<string, OpenCommand>();
  readonly #known = new BoundedMap<string, OpenCommand>(LOOP_LIMITS.maxKnownCommands);

  /** Checks that another command may be started. @throws CmdopError LimitExceeded */
  checkRoom(): void {
    if (this.#open.size < LOOP_LIMITS.maxOpenCommands) return;
    throw new CmdopError("LimitExceeded", `${this.#open.size} commands of this run are open, its limit.`, {
      next: "Look at those that go on with wait_command, or end them with cancel_command.",
    });
  }

  add(command: OpenCommand): void {
    this.#open.set(command.job.identity.id, command);
    this.#known.set(command.job.identity.id, command);
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

  /** Returns a command of this run, even if its end was read. @throws CmdopError JobUnknown */
  known(jobId: string): OpenCommand {
    return this.#known.get(jobId) ?? this.get(jobId);
  }

  /** Calls the command's `look`, and closes the command if it has ended. */
  async look(command: OpenCommand, waitMs?: number): Promise<ToolAnswer> {
    const { ended, ...answer } = await command.look(waitMs);
    if (ended) this.#open.delete(command.job.identity.id);
    return answer;
  }
}

/** Describes a job's outcome for the model. */
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
