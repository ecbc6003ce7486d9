import { randomUUID } from "node:crypto";
import { pause } from "@cmdop/kit";
import { asData, CmdopError } from "@cmdop/proto";
import type { Job } from "../../jobs/index.ts";
import { LOOP_LIMITS } from "../limits.ts";
import { inWords } from "./open-commands.ts";
import type { ToolAnswer } from "./tools.ts";

/** A wait for a change on a screen. */
export interface ScreenWait {
  /** Text to wait for. Without it, the wait is until the screen is still. */
  readonly text?: string | undefined;
  readonly waitMs?: number | undefined;
  readonly signal: AbortSignal;
}

/** A terminal session of a run. */
export class OpenSession {
  readonly job: Job;
  readonly #writerId = randomUUID();
  #typed = 0n;

  constructor(job: Job) {
    this.job = job;
  }

  /** @throws CmdopError JobEnded */
  async type(text: string, signal: AbortSignal): Promise<void> {
    const data = Buffer.from(text);
    const offset = this.#typed;
    // Advanced at once, so that parallel inputs follow one another.
    this.#typed += BigInt(data.length);
    await this.job.input({ writerId: this.#writerId, offset, data, eof: false }, signal);
  }

  /** Returns the screen as a person would see it, once the awaited text is there or the wait is over. */
  async screen({ text, waitMs, signal }: ScreenWait): Promise<ToolAnswer & { readonly ended: boolean }> {
    const isThere = text === undefined ? undefined : await this.#waitFor(text, waitMs, signal);
    if (text === undefined) await this.#waitUntilStill(signal);
    const {
      lines = [],
      cursorRow = 0,
      cursorCol = 0,
      title = "",
    } = (await this.job.terminal?.screen(signal)) ?? {};
    const { outcome } = this.job;
    const end = outcome === undefined ? [] : [`The session has ended: ${inWords(outcome)}.`];
    const missing = isThere === false ? [`${JSON.stringify(text)} has not come on the screen.`] : [];
    const place = `The cursor is in row ${cursorRow + 1}, column ${cursorCol + 1}.`;
    const titled = title === "" ? [] : [`[title: ${title}]`];
    const shown = asData([...titled, ...lines].join("\n").trimEnd());
    const told = [...missing, ...end, place, shown].join("\n");
    return { ok: isThere !== false, text: told, ended: outcome !== undefined };
  }

  /**
   * Returns true if the text came. It is plain text, because a pattern from a model could take for ever to
   * match.
   */
  async #waitFor(text: string, waitMs: number = LOOP_LIMITS.defaultScreenWaitMs, signal: AbortSignal) {
    const giveUpAtMs = performance.now() + waitMs;
    let seen: bigint | undefined;
    while (!signal.aborted) {
      const { outcome, journal } = this.job;
      if (seen !== journal.end) {
        seen = journal.end;
        const screen = await this.job.terminal?.screen(signal);
        if (screen?.lines.some((line) => line.includes(text))) return true;
      } else if (outcome !== undefined) return false;
      if (performance.now() >= giveUpAtMs) return false;
      await pause(LOOP_LIMITS.screenLookMs, { signal });
    }
    return false;
  }

  async #waitUntilStill(signal: AbortSignal): Promise<void> {
    const giveUpAtMs = performance.now() + LOOP_LIMITS.screenMovesMs;
    let [seen, sinceMs] = [this.job.journal.end, performance.now()];
    while (!signal.aborted && this.job.outcome === undefined && performance.now() < giveUpAtMs) {
      await pause(LOOP_LIMITS.screenLookMs, { signal });
      if (seen !== this.job.journal.end) [seen, sinceMs] = [this.job.journal.end, performance.now()];
      else if (performance.now() - sinceMs >= LOOP_LIMITS.screenStillMs) return;
    }
  }
}

/** The open sessions of a run. */
export class OpenSessions {
  readonly #open = new Map<string, OpenSession>();

  /** Checks that another session may be started. @throws CmdopError LimitExceeded */
  checkRoom(): void {
    if (this.#open.size < LOOP_LIMITS.maxOpenSessions) return;
    throw new CmdopError("LimitExceeded", `${this.#open.size} sessions of this run are open, its limit.`, {
      next: "Go on in one of them, or close one with session_close.",
    });
  }

  add(session: OpenSession): void {
    this.#open.set(session.job.identity.id, session);
  }

  close({ job }: OpenSession): void {
    this.#open.delete(job.identity.id);
  }

  /** Calls the session's `screen`, and closes the session if it has ended. */
  async look(session: OpenSession, wait: ScreenWait): Promise<ToolAnswer> {
    const { ended, ...answer } = await session.screen(wait);
    if (ended) this.close(session);
    return answer;
  }

  /** @throws CmdopError JobUnknown */
  get(sessionId: string): OpenSession {
    const session = this.#open.get(sessionId);
    if (session !== undefined) return session;
    const shown = JSON.stringify(sessionId.slice(0, 36));
    throw new CmdopError("JobUnknown", `No session of this run is open as ${shown}.`, {
      next: "Name a sessionId that session_start gave, and that was not closed.",
    });
  }
}
