import { InvalidArgumentError, Option } from "commander";

/** Which relay the owner's command is for. */
export function relayOption(): Option {
  return new Option("--relay <id@host:port>", "the relay, as it printed itself; remembered");
}

/** Where the owner's passphrase is read from, for scripts. */
export function passphraseFdOption(): Option {
  return new Option(
    "--passphrase-fd <fd>",
    "read the owner's passphrase from this file descriptor; asked on the terminal unless given",
  ).argParser((text) => {
    if (/^\d{1,4}$/.test(text)) return Number(text);
    throw new InvalidArgumentError("Give the number of an open file descriptor.");
  });
}
