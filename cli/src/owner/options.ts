import { InvalidArgumentError, Option } from "commander";

/** Returns the option for the relay of an owner's command. */
export function relayOption(): Option {
  return new Option(
    "--relay <id@host:port>",
    "the relay, as cmdop relay printed it; the first is remembered as this home's",
  );
}

/** Returns the option for the owner's passphrase, for scripts. */
export function passphraseFdOption(): Option {
  return new Option(
    "--passphrase-fd <fd>",
    "read the owner's passphrase from this file descriptor; asked on the terminal unless given",
  ).argParser((text) => {
    if (/^\d{1,4}$/.test(text)) return Number(text);
    throw new InvalidArgumentError("Give the number of an open file descriptor.");
  });
}
