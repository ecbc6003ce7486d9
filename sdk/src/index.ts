export {
  CmdopError,
  type ErrorCode,
  type MachineSelector,
  pathBytes,
  pathText,
  type Scope,
  systemPath,
  type TextEncodingName,
} from "@cmdop/proto";
export { collectYoungBuffers } from "@cmdop/proto/young-buffers";
export type { Agent } from "./agent/agent.ts";
export { CollectedRun } from "./agent/collect-run.ts";
export { describeRunEvent } from "./agent/describe-event.ts";
export { describeToolInput, OpenQuestions, type RunQuestion } from "./agent/open-questions.ts";
export { RunError } from "./agent/run-error.ts";
export type {
  AgentType,
  AskedUse,
  JsonSchema,
  ResumeRunOptions,
  RunApprove,
  RunEnd,
  RunEvent,
  RunFacts,
  RunOptions,
  RunResult,
  RunStreamEvent,
  RunToolCall,
  RunUsage,
} from "./agent/types.ts";
export type { ApprovalInfo, Approvals } from "./approvals.ts";
export type { Audit } from "./audit/audit.ts";
export {
  type AuditChainReport,
  type AuditEntry,
  type AuditHeads,
  type AuditQueryOptions,
  type AuditReport,
  type AuditVerifyOptions,
  auditHeadsSchema,
} from "./audit/types.ts";
export { CMDOPClient } from "./client.ts";
export type { ReconnectOptions } from "./connection/reconnect.ts";
export type { OnWaiting, WaitingForApproval } from "./connection/waiting.ts";
export type { ExplainOptions, Explanation } from "./explain.ts";
export type { Files } from "./files/files.ts";
export { namesDirectory, sourceName } from "./files/transfer/names.ts";
export { KEPT_TEXT } from "./files/transfer/retention.ts";
export type {
  FileProgress,
  OnTransferLink,
  TransferOptions,
  TransferProgress,
  TransferResult,
  UploadOptions,
  WrittenFile,
} from "./files/transfer/types.ts";
export type {
  CopyOptions,
  CopyProgress,
  DeleteOptions,
  EditedFile,
  EditOptions,
  FileContent,
  FileInfo,
  FileKind,
  FileList,
  FileWritten,
  InfoOptions,
  ListOptions,
  LocalPath,
  MkdirOptions,
  MoveOptions,
  ReadOptions,
  ReadTextOptions,
  SearchEvent,
  SearchMatch,
  SearchOptions,
  SkippedPath,
  WalkOptions,
  WriteOptions,
} from "./files/types.ts";
export type { MachineClient, MachineDescription } from "./machine.ts";
export type { DiskSpace, MachineHealth } from "./machine-health.ts";
export {
  cmdopHome,
  type LocalOptions,
  type OnSigned,
  type Profile,
  profilePath,
  type RemoteOptions,
  type SignedStatement,
} from "./options.ts";
export { type OwnerOptions, parseRelayTarget } from "./owner-key.ts";
export type {
  CreatedKey,
  CreateKeyOptions,
  KeyInfo,
  KeyState,
  RotateKeyOptions,
  StoppedKey,
} from "./relay/key-types.ts";
export type { Keys, WhoAmI } from "./relay/keys.ts";
export type {
  JoinTokenOptions,
  LabelOptions,
  MachineStatus,
  Machines,
  NamedMachine,
} from "./relay/machines.ts";
export type { Roster } from "./relay/roster.ts";
export type { OwnerRotation, RosterContent, RosterInfo, RotateOwnerOptions } from "./relay/roster-types.ts";
export { describeEnd, ExecError } from "./terminal/exec-error.ts";
export { LinkWatch } from "./terminal/outage.ts";
export type { Session } from "./terminal/session.ts";
export type {
  AttachOptions,
  CreateOptions,
  HistoryOptions,
  JobInfo,
  JobsOptions,
  Screen,
  SendOptions,
  SessionChunk,
  SessionHistory,
  WaitOptions,
  WaitResult,
} from "./terminal/session-types.ts";
export type { Terminal } from "./terminal/terminal.ts";
export type {
  ExecCommand,
  ExecEnd,
  ExecEvent,
  ExecOptions,
  ExecOutput,
  ExecResult,
  ExecuteOptions,
  JobEnd,
  JobOutcomeName,
  JobStarted,
  LinkListeners,
  LinkLoss,
  OnLink,
  OutcomeName,
  PatientExecuteOptions,
  ResumeOptions,
  ResumeStreamOptions,
  RunningExec,
  Truncation,
} from "./terminal/types.ts";
