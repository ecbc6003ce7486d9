import { readFileSync, renameSync, writeFileSync } from "node:fs";
import path from "node:path";
import { isErrno } from "@cmdop/kit";
import { bytes32Schema, ChainLog, type ChainLogOptions, CmdopError, diskError } from "@cmdop/proto";
import { z } from "zod";

const ORIGIN = "origin.json";
const HEAD = "head";

const originSchema = z.strictObject({
  chain: z.uuid(),
  machine: bytes32Schema,
  /** The machine's public key. It verifies heads, also when the machine is gone. */
  machineKey: bytes32Schema,
  /** Time when the relay first saw the chain, in milliseconds since 1970. */
  sinceMs: z.number(),
});

/** The chain's id and its machine. */
export type ChainOrigin = z.infer<typeof originSchema>;

/**
 * The relay's copy of a machine's chain: its records, its origin, and the newest head that the machine
 * signed.
 */
export class KeptChain {
  readonly origin: ChainOrigin;
  readonly directory: string;
  readonly #options: Omit<ChainLogOptions, "directory">;
  #log: ChainLog | undefined;
  #head: string;

  private constructor(directory: string, origin: ChainOrigin, options: Omit<ChainLogOptions, "directory">) {
    this.directory = directory;
    this.origin = origin;
    this.#options = options;
    this.#head = textOf(path.join(directory, HEAD)) ?? "";
  }

  /**
   * Returns the copy in a directory; undefined if it was not even begun.
   * @throws CmdopError AuditBroken where its origin is not known
   */
  static found(directory: string, options: Omit<ChainLogOptions, "directory">): KeptChain | undefined {
    const text = textOf(path.join(directory, ORIGIN));
    if (text === undefined) return undefined;
    const origin = originSchema.safeParse(parsed(text));
    const isHere =
      origin.data?.chain === path.basename(directory) &&
      origin.data.machine === path.basename(path.dirname(directory));
    if (origin.success && isHere) return new KeptChain(directory, origin.data, options);
    throw new CmdopError("AuditBroken", `${path.join(directory, ORIGIN)} is damaged.`);
  }

  /** Begins a copy in an existing directory. */
  static begin(
    directory: string,
    origin: ChainOrigin,
    options: Omit<ChainLogOptions, "directory">,
  ): KeptChain {
    writeWhole(path.join(directory, ORIGIN), JSON.stringify(origin));
    return new KeptChain(directory, origin, options);
  }

  /** The records, opened at the first use. @throws CmdopError AuditBroken where the files are damaged */
  get log(): ChainLog {
    const { directory, origin } = this;
    this.#log ??= ChainLog.openCopy({ ...this.#options, directory, chain: origin.chain });
    return this.#log;
  }

  /** The newest signed head from its machine; empty before the first. */
  get head(): string {
    return this.#head;
  }

  keepHead(statement: string): void {
    writeWhole(path.join(this.directory, HEAD), statement);
    this.#head = statement;
  }

  close(): void {
    this.#log?.close();
  }
}

/** Writes a file whole or not at all, even if this process ends meanwhile. */
function writeWhole(file: string, text: string): void {
  const temporary = `${file}.new`;
  try {
    writeFileSync(temporary, text, { mode: 0o600 });
    renameSync(temporary, file);
  } catch (thrown) {
    throw diskError(thrown, "write", file);
  }
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch (thrown) {
    if (isErrno(thrown, "ENOENT")) return undefined;
    throw diskError(thrown, "read", file);
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (thrown) {
    if (thrown instanceof SyntaxError) return undefined;
    throw thrown;
  }
}
