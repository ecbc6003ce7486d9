import { Command, type ErrorOptions } from "commander";
import { didYouMean } from "./did-you-mean.ts";

/** Commander's command with what people expect of it beyond. */
export class CliCommand extends Command {
  #isForCommand = false;

  override createCommand(name?: string): CliCommand {
    return new CliCommand(name);
  }

  /**
   * For `MACHINE COMMAND...`, as ssh has it: options end where the command begins, and what follows is the
   * command's own.
   */
  forCommand(): this {
    this.#isForCommand = true;
    return this.passThroughOptions();
  }

  override parseOptions(argv: string[]): { operands: string[]; unknown: string[] } {
    const first = super.parseOptions(argv);
    const [machine, ...rest] = first.operands;
    // After -- everything is the command's.
    const isBehindDashes = argv.at(-first.operands.length - 1) === "--";
    if (!this.#isForCommand || machine === undefined || isBehindDashes) return first;
    const { operands, unknown } = super.parseOptions(rest);
    return { operands: [machine, ...operands], unknown: [...first.unknown, ...unknown] };
  }

  override error(message: string, options?: ErrorOptions): never {
    return super.error(message + this.#suggestion(options?.code, message), options);
  }

  /** Returns a hint where commander has none of its own. */
  #suggestion(code: string | undefined, message: string): string {
    // A command that does something itself, or for its group, takes the name of another for a word too many.
    const [word] = this.args;
    if (code === "commander.excessArguments" && word !== undefined) {
      const isInGroup = this.parent?.parent !== undefined && this.parent.parent !== null;
      const others = [...this.commands, ...(isInGroup ? (this.parent?.commands ?? []) : [])];
      const meant = didYouMean(
        word,
        others.map((command) => command.name()),
      );
      return meant === undefined ? "" : `\n(${meant})`;
    }
    const [, option = ""] = /unknown option '(-[^-'][^']*)'/.exec(message) ?? [];
    return code === "commander.unknownOption" && option.length > MAX_OPTION_CHARS
      ? `\n(An id that begins with a dash comes after --: cmdop ${this.name()} -- ${option})`
      : "";
  }
}

/** Characters of a short option with its dash; what is longer may be an id. */
const MAX_OPTION_CHARS = 4;
