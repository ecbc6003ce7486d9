import { CmdopError, type KeyPair, openOwnerKey, type SealedOwnerKey } from "@cmdop/proto";
import { readLineFrom } from "./descriptor.ts";
import { passphraseFromEnvironment } from "./environment.ts";
import { showOnce } from "./show-once.ts";
import { askHidden } from "./terminal.ts";
import { makePassphrase } from "./words.ts";

/** How often a person at the terminal may try. */
const TRIES = 3;

/** The least that is taken for a new key, in characters: below this, guessing needs no patience. */
const MIN_CHARACTERS = 8;

/**
 * The passphrase of the owner key, for the time of one command: from the file
 * descriptor of --passphrase-fd, from CMDOP_OWNER_PASSPHRASE, or from the person
 * at the terminal.
 */
export class Passphrase {
  readonly #fd: number | undefined;
  readonly #signal: AbortSignal | undefined;
  #given: Promise<string | undefined> | undefined;
  /** The one that has opened a key. */
  #known: string | undefined;

  /** `fd`: that of --passphrase-fd. `signal`: ends a question, and the program with it. */
  constructor(fd?: number, signal?: AbortSignal) {
    this.#fd = fd;
    this.#signal = signal;
  }

  /** Whether a program gives it: then nobody is asked. */
  get isGiven(): boolean {
    return this.#fd !== undefined || passphraseFromEnvironment() !== undefined;
  }

  /** Opens a sealed key. @throws CmdopError Unauthenticated where the passphrase is wrong, or nobody can be asked */
  async open(sealed: SealedOwnerKey, file: string): Promise<KeyPair> {
    const present = this.#known ?? (await this.#fromProgram());
    if (present !== undefined) {
      const key = await this.#try(sealed, present);
      if (key !== undefined) return key;
      if (this.isGiven) throw wrong(file);
    }
    for (let attempt = 1; attempt <= TRIES; attempt += 1) {
      const again = attempt > 1 ? "That is not it. " : "";
      const typed = await askHidden(`${again}Passphrase of ${file}: `, this.#signal);
      if (typed === undefined) throw nobodyToAsk(file);
      const key = await this.#try(sealed, typed);
      if (key !== undefined) return key;
    }
    throw wrong(file);
  }

  /** The passphrase for a new key: that of the key that was opened before, else a given one, else words, which are then shown this once. */
  async forNewKey(): Promise<string> {
    const present = this.#known ?? (await this.#fromProgram());
    if (present === undefined) {
      this.#known = makePassphrase();
      showOnce(
        "owner passphrase",
        this.#known,
        "Opens the owner key; cmdop asks for it whenever the owner signs something. It is shown this once: write it down.",
      );
      return this.#known;
    }
    if ([...present.trim()].length >= MIN_CHARACTERS) return present;
    throw new CmdopError("InvalidArgument", `A passphrase has at least ${MIN_CHARACTERS} characters.`, {
      next: "Take several words, or give none: then one is made and shown.",
    });
  }

  async #try(sealed: SealedOwnerKey, passphrase: string): Promise<KeyPair | undefined> {
    const key = await openOwnerKey(sealed, passphrase);
    if (key !== undefined) this.#known = passphrase;
    return key;
  }

  #fromProgram(): Promise<string | undefined> {
    this.#given ??=
      this.#fd === undefined ? Promise.resolve(passphraseFromEnvironment()) : readLineFrom(this.#fd);
    return this.#given;
  }
}

function wrong(file: string): CmdopError {
  return new CmdopError("Unauthenticated", `This is not the passphrase of ${file}.`, {
    next: "It was shown once, when the key was made. If it is lost, move an owner.key.new away if there is one, and make a new owner with the recovery key: cmdop owner recover.",
  });
}

function nobodyToAsk(file: string): CmdopError {
  return new CmdopError(
    "Unauthenticated",
    `${file} is sealed, and there is no terminal to ask for its passphrase on.`,
    {
      next: "Say --passphrase-fd N and give it on that file descriptor, or set CMDOP_OWNER_PASSPHRASE. Neither belongs where an agent's jobs run as the same user.",
    },
  );
}
