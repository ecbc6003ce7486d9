import { STATUS } from "./status.ts";

/**
 * The one table of typed errors: for each code, the gRPC status that carries it, and the next step unless the
 * thrower gives a better one.
 */
export const ERROR_TABLE = {
  InvalidArgument: {
    status: STATUS.INVALID_ARGUMENT,
    next: "Correct the argument that the message names.",
  },
  Unauthenticated: {
    status: STATUS.UNAUTHENTICATED,
    next: "Check the API key: CMDOP_API_KEY, or the profile in CMDOP_HOME.",
  },
  TokenExpired: {
    status: STATUS.UNAUTHENTICATED,
    next: "Compare the clocks that the message shows; correct the one that is wrong.",
  },
  KeyUnknown: {
    status: STATUS.UNAUTHENTICATED,
    next: "Ask the owner to create the key on this relay: cmdop keys create.",
  },
  KeyRevoked: { status: STATUS.UNAUTHENTICATED, next: "Ask the owner for a new key." },
  GrantExpired: { status: STATUS.UNAUTHENTICATED, next: "Ask the owner for a new key." },
  GrantRefused: {
    status: STATUS.UNAUTHENTICATED,
    next: "The grant is not signed by an owner that this machine knows; ask the owner for a new key.",
  },
  PermissionDenied: {
    status: STATUS.PERMISSION_DENIED,
    next: "Ask the owner for a key with the scope that the message names.",
  },
  PolicyDenied: {
    status: STATUS.PERMISSION_DENIED,
    next: "The machine's own policy forbids it; only its operator can change that (policy.json in its state directory).",
  },
  ApprovalRefused: {
    status: STATUS.PERMISSION_DENIED,
    next: "A key with the scope approve, other than the asking one, must say yes in time: cmdop approvals lists what waits.",
  },
  AuditUnavailable: {
    status: STATUS.FAILED_PRECONDITION,
    next: "Nothing runs that can't be recorded: free space on the disk that the message names; owner and admin keys still come in to repair.",
  },
  AuditBroken: {
    status: STATUS.DATA_LOSS,
    next: "Keep a copy of the relay's and the machine's audit files, and find out who could write to them.",
  },
  AccessDenied: {
    status: STATUS.PERMISSION_DENIED,
    next: "The operating system refused: check owner and mode of the path, and the user that the agent runs as.",
  },
  MachineRequired: {
    status: STATUS.INVALID_ARGUMENT,
    next: "Name the machine: client.machine(name), --machine, or CMDOP_MACHINE.",
  },
  MachineUnknown: {
    status: STATUS.NOT_FOUND,
    next: "List the machines that this key reaches: cmdop machines.",
  },
  MachineAmbiguous: {
    status: STATUS.FAILED_PRECONDITION,
    next: "Use the machine's id: cmdop machines --json shows it.",
  },
  MachineOffline: {
    status: STATUS.UNAVAILABLE,
    next: "What ran there may still run. Check that the agent runs on the machine and can reach the relay: cmdop machines shows when it was last seen.",
  },
  MachineQuarantined: {
    status: STATUS.FAILED_PRECONDITION,
    next: "Its owner decides: cmdop machines remove and a new join where the key was copied, cmdop machines release where the copy is gone for certain.",
  },
  RelayUnreachable: {
    status: STATUS.UNAVAILABLE,
    next: "Check that the relay runs and that its address can be reached from here.",
  },
  RelayUntrusted: {
    status: STATUS.UNAVAILABLE,
    next: "Whatever answers at this address is not the relay of the key: check the address, and who stands in between.",
  },
  LinkLost: {
    status: STATUS.UNAVAILABLE,
    next: "The connection broke during the call: look before you repeat a call that changes something.",
  },
  LinkRefused: {
    status: STATUS.PERMISSION_DENIED,
    next: "Ask the owner for a new join token: cmdop join-token NAME.",
  },
  OutcomeUnknown: {
    status: STATUS.UNKNOWN,
    next: "It may have happened or not: look before you repeat it.",
  },
  Ambiguous: {
    status: STATUS.FAILED_PRECONDITION,
    next: "Say more of the id that the message names.",
  },
  NotFound: { status: STATUS.NOT_FOUND, next: "Check the path; files.list shows what there is." },
  AlreadyExists: {
    status: STATUS.ALREADY_EXISTS,
    next: "Choose another name, or say that it may be replaced.",
  },
  NotADirectory: { status: STATUS.FAILED_PRECONDITION, next: "Name a directory." },
  IsADirectory: {
    status: STATUS.FAILED_PRECONDITION,
    next: "Name a file, or say recursive where the call knows it.",
  },
  DirectoryNotEmpty: {
    status: STATUS.FAILED_PRECONDITION,
    next: "Say recursive to delete the directory with its content.",
  },
  NotAFile: {
    status: STATUS.FAILED_PRECONDITION,
    next: "Only regular files can be read and written; read devices and FIFOs with a command.",
  },
  NoSpace: { status: STATUS.RESOURCE_EXHAUSTED, next: "Free space on the machine's disk." },
  MountStalled: {
    status: STATUS.FAILED_PRECONDITION,
    next: "A disk of the machine does not answer: bring back what it needs (a network, a server), or unmount it (umount -l). It is tried again all the time.",
  },
  FileChanged: {
    status: STATUS.ABORTED,
    next: "The content did not arrive as it was announced; nothing was changed: send it again.",
  },
  JobUnknown: {
    status: STATUS.NOT_FOUND,
    next: "The machine keeps jobs for a while after their end; list them to see which.",
  },
  JobConflict: {
    status: STATUS.ALREADY_EXISTS,
    next: "This job id belongs to another request: use a new one.",
  },
  JobEnded: {
    status: STATUS.FAILED_PRECONDITION,
    next: "The job has ended and takes no more input or signals.",
  },
  InputGap: {
    status: STATUS.OUT_OF_RANGE,
    next: "Send again from the accepted offset that the message names.",
  },
  ModelMissing: {
    status: STATUS.FAILED_PRECONDITION,
    next: "Set CMDOP_MODEL=provider:model and its key in the environment of the machine's agent, or write model.json into its state directory.",
  },
  ModelFailed: {
    status: STATUS.ABORTED,
    next: "Check the machine's model settings and its provider: key, quota, name of the model, base URL.",
  },
  OutputInvalid: {
    status: STATUS.ABORTED,
    next: "The text says what the model answered: make the prompt or the schema clearer, or use a stronger model.",
  },
  BudgetSpent: {
    status: STATUS.RESOURCE_EXHAUSTED,
    next: "Give the run more (maxSteps, maxTokens), or ask for less at once; its events say how far it came.",
  },
  LimitExceeded: {
    status: STATUS.RESOURCE_EXHAUSTED,
    next: "Do less at once, or retry a little later; the message names the limit.",
  },
  MessageTooLarge: {
    status: STATUS.RESOURCE_EXHAUSTED,
    next: "Send it in pieces: the streaming variants take any size.",
  },
  Canceled: { status: STATUS.CANCELLED, next: "The caller ended the call." },
  DeadlineExceeded: {
    status: STATUS.DEADLINE_EXCEEDED,
    next: "Give the call more time, or check the connection.",
  },
  Unimplemented: {
    status: STATUS.UNIMPLEMENTED,
    next: "The other side does not know this method: bring relay, agent and SDK to the same version.",
  },
  Internal: {
    status: STATUS.INTERNAL,
    next: "This is a defect of cmdop: please report it with the message.",
  },
} as const satisfies Record<string, { status: number; next: string }>;

/** The code of an error: a row of ERROR_TABLE. */
export type ErrorCode = keyof typeof ERROR_TABLE;

/** Returns true if a string is a code of the table. */
export function isErrorCode(value: string): value is ErrorCode {
  return Object.hasOwn(ERROR_TABLE, value);
}

/**
 * Codes for a status that arrives without one. Both ends of cmdop always send a code, so a bare INTERNAL,
 * UNKNOWN or UNAVAILABLE comes from something else, such as a proxy, and means a lost connection.
 */
export const CODE_OF_BARE_STATUS: Readonly<Record<number, ErrorCode>> = {
  [STATUS.CANCELLED]: "Canceled",
  [STATUS.INVALID_ARGUMENT]: "InvalidArgument",
  [STATUS.DEADLINE_EXCEEDED]: "DeadlineExceeded",
  [STATUS.NOT_FOUND]: "NotFound",
  [STATUS.ALREADY_EXISTS]: "AlreadyExists",
  [STATUS.PERMISSION_DENIED]: "PermissionDenied",
  [STATUS.RESOURCE_EXHAUSTED]: "LimitExceeded",
  [STATUS.UNIMPLEMENTED]: "Unimplemented",
  [STATUS.UNAVAILABLE]: "LinkLost",
  [STATUS.INTERNAL]: "LinkLost",
  [STATUS.UNKNOWN]: "LinkLost",
  [STATUS.UNAUTHENTICATED]: "Unauthenticated",
};
