/**
 * The owner's passphrase where the environment has it. It is taken out as the
 * program begins, whatever the command, so that nothing which this process
 * starts inherits it.
 */
const taken = process.env.CMDOP_OWNER_PASSPHRASE || undefined;
delete process.env.CMDOP_OWNER_PASSPHRASE;

/** What CMDOP_OWNER_PASSPHRASE held when the program began. */
export function passphraseFromEnvironment(): string | undefined {
  return taken;
}
