import { CmdopError } from "@cmdop/sdk";

/** An error whose words are this server's own. Those of all others may be a machine's, and are given as data. */
export class OwnError extends CmdopError {}
