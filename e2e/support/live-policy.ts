import { existsSync } from "node:fs";
import { rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { checkPolicy } from "@cmdop/agent";
import { agentStateDir } from "@cmdop/proto";
import { afterEach, expect } from "vitest";
import type { Doors } from "./doors.ts";
import { machineChain } from "./machine-chain.ts";
import { waitUntil } from "./wait.ts";

/** The policy of a machine, which tests change while its agent runs. */
export class LivePolicy {
  readonly #doors: Pick<Doors, "machine">;

  constructor(doors: Pick<Doors, "machine">) {
    this.#doors = doors;
  }

  /** Where it is. */
  get file(): string {
    return path.join(agentStateDir(this.#doors.machine().home), "policy.json");
  }

  /** Puts a policy into force. */
  async set(says: object): Promise<void> {
    const text = JSON.stringify(says);
    await this.write(text);
    const { lines } = await checkPolicy({ home: this.#doors.machine().home });
    expect(lines).not.toEqual([]);
    await this.#inForce(text);
  }

  /** Writes its file as an editor would: beside, then in its place. */
  async write(text: string): Promise<void> {
    await writeFile(`${this.file}.new`, text, { mode: 0o600 });
    await rename(`${this.file}.new`, this.file);
  }

  /** Takes it away, if there is one. */
  async remove(): Promise<void> {
    if (!existsSync(this.file)) return;
    await rm(this.file);
    await this.#inForce(undefined);
  }

  /** What the audit says of policies. */
  async records() {
    const { records } = await machineChain(this.#doors.machine().home);
    return records.filter((record) => record.type === "policy");
  }

  /** Until the audit says that the file of this text, or none, is in force. */
  async #inForce(text: string | undefined): Promise<void> {
    const hash = text === undefined ? null : await sha256(text);
    await waitUntil(async () => (await this.records()).at(-1)?.hash === hash);
  }
}

/** One for all tests of a file; after each there is no policy. */
export function useLivePolicy(doors: Doors): LivePolicy {
  const policy = new LivePolicy(doors);
  afterEach(() => policy.remove());
  return policy;
}

async function sha256(text: string): Promise<string> {
  return Buffer.from(await crypto.subtle.digest("SHA-256", Buffer.from(text))).toString("base64url");
}
