import type { Command } from "commander";

export function registerOwnerRotate(owner: Command): void {
  owner
    .command("rotate")
    .description("put a new owner key in the place of this home's")
    .option("--relay <id@host:port>", "the relay, as it printed itself; remembered")
    .option("--json", "print one line of JSON")
    .addHelpText(
      "after",
      `
Examples:
  cmdop owner rotate

The relay gets a roster that names the new owner instead of the old, and the grants of all keys
that count are signed anew; nobody needs a new key. What runs on a machine by a key that has not
called since is ended, since the machine knows only its old grant: choose a quiet moment. Machines
that are offline follow when they come back. Interrupted, it can be run again. The old key is kept
beside the new one as owner.key.old-TIME, since other relays may still name it: rotate there too,
then delete it. The relay's own --owner option stays as it is: it counts only before the first
roster.`,
    )
    .action(async ({ relay: named, json }: { relay?: string; json?: boolean }) => {
      const [
        { handOver },
        { ownersRelay, recoveryPublicKey, rememberRelay, requireOwner },
        { printRotated },
      ] = await Promise.all([
        import("../../owner-rotation.ts"),
        import("../../owner.ts"),
        import("../../rotated-text.ts"),
      ]);
      const { key } = await requireOwner();
      const relay = await ownersRelay(named);
      const recovery = await recoveryPublicKey();
      const trusted = recovery === undefined ? [] : [recovery];
      const rotated = await handOver({ relay, signer: key, remove: key.publicKey, trusted });
      await rememberRelay(relay);
      printRotated(rotated, json);
    });
}
