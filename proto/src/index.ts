export {
  CHAIN_HASH_BYTES,
  chainNext,
  chainStart,
  MAX_AUDIT_RECORD_BYTES,
} from "./audit/chain.ts";
export {
  type ChainBatch,
  type ChainEnd,
  type ChainLimits,
  ChainLog,
  type ChainLogOptions,
} from "./audit/chain-log.ts";
export { type CallTotals, CountedCalls, type CountedEnd } from "./audit/counted-calls.ts";
export { type ChainHead, signHead, verifyHead } from "./audit/head.ts";
export { RecordShares, type ShareBounds } from "./audit/record-shares.ts";
export { RecordWriter, type WriteOptions } from "./audit/record-writer.ts";
export {
  type AnyAuditRecord,
  type MachineAuditRecord,
  type RelayRecord,
  readAuditRecord,
} from "./audit/records.ts";
export { type ApiKey, formatApiKey, parseApiKey, type RelayTarget } from "./credentials/api-key.ts";
export {
  type CallToken,
  callTokenKeyId,
  checkCallTokenAudience,
  checkCallTokenTime,
  signCallToken,
  verifyCallToken,
} from "./credentials/call-token.ts";
export { type ClockJump, TrustedClock } from "./credentials/clock.ts";
export {
  ED25519_BYTES,
  generateKeyPair,
  type KeyId,
  type KeyPair,
  keyPairOf,
  type PublicKey,
  thumbprint,
} from "./credentials/ed25519.ts";
export {
  addressSchema,
  bytes32Schema,
  labelsSchema,
  nameSchema,
  relayIdSchema,
} from "./credentials/fields.ts";
export {
  checkGrantTime,
  DEFAULT_GRANT_LIFETIME_S,
  type Grant,
  readGrant,
  signGrant,
  verifyGrant,
  verifySignedGrant,
} from "./credentials/grant.ts";
export {
  checkJoinTokenTime,
  type JoinToken,
  openJoinToken,
  signJoinToken,
  verifyJoinToken,
} from "./credentials/join-token.ts";
export {
  HELLO_NONCE_BYTES,
  type HelloTranscript,
  LINK_EXPORTER,
  signHello,
  verifyHello,
} from "./credentials/link-proof.ts";
export {
  type MachineRecord,
  readMachineRecord,
  signMachineRecord,
  verifyMachineRecord,
} from "./credentials/machine-record.ts";
export {
  checkNameByPattern,
  hostAsName,
  isNamePattern,
  MAX_NAMESAKES,
  nameByPattern,
} from "./credentials/name-pattern.ts";
export { isPinnedRelayId, relayIdOf, splitAddress } from "./credentials/relay-id.ts";
export {
  MAX_REVOKED_KEYS,
  ownerKey,
  type Roster as RosterClaims,
  readRoster,
  signRoster,
  verifyRoster,
} from "./credentials/roster.ts";
export {
  formatSealedKey,
  MAX_PASSPHRASE_BYTES,
  MAX_SEALED_KEY_BYTES,
  openOwnerKey,
  parseSealedKey,
  type SealedOwnerKey,
  sealOwnerKey,
} from "./credentials/sealed-owner-key.ts";
export {
  type MachineIdentity,
  type MachineSelector,
  machineSelectorSchema,
  selects,
} from "./credentials/selectors.ts";
export { statementSigner, statementText } from "./credentials/statement.ts";
export { type Route, routeTo } from "./dial/dial-relay.ts";
export { isLoopback } from "./dial/no-proxy.ts";
export { PROXY_ENVIRONMENT } from "./dial/proxy-settings.ts";
export { RelayFault, type RelayFaultKind, relayFaultOf } from "./dial/relay-fault.ts";
export {
  databaseError,
  diskError,
  isDiskTrouble,
  refusalOf,
  removeDirectory,
  removeFile,
} from "./disk.ts";
export { DiskTrouble, type Retry } from "./disk-trouble.ts";
export { CmdopError, type CmdopErrorOptions } from "./errors/cmdop-error.ts";
export { CODE_OF_BARE_STATUS, ERROR_TABLE, type ErrorCode, isErrorCode } from "./errors/table.ts";
export { errorTrailers } from "./errors/wire.ts";
export { counted, type Excerpt, excerpt } from "./excerpt.ts";
export { utimesArgument } from "./file-times.ts";
export {
  Audit,
  type AuditChainsResponse_Kept,
  Keys,
  type KeysListResponse_KeptKey,
  type KeysWhoAmIResponse,
  type MachineSummary,
  Machines,
  Roster,
} from "./gen/cmdop/relay/v1/relay_pb.ts";
export { Agent, type AgentRunRequest } from "./gen/cmdop/v1/agent_pb.ts";
export { type Approval, Approvals } from "./gen/cmdop/v1/approvals_pb.ts";
export { Exec, type ExecStartRequest, ExecStartRequestSchema } from "./gen/cmdop/v1/exec_pb.ts";
export {
  type FileEntry,
  FileEntrySchema,
  Files,
  type FilesMatch,
  FilesModeUse,
  type FilesProgress,
  type FilesReadStreamResponse,
  type FilesSkipped,
  FilesSkipped_Reason,
  type FilesWriteStreamRequest,
  type FilesWritten,
  FileType,
} from "./gen/cmdop/v1/files_pb.ts";
export {
  Channel,
  type JobEvent,
  JobEventSchema,
  JobKind,
  type Outcome,
  OutcomeKind,
  OutcomeSchema,
} from "./gen/cmdop/v1/job_pb.ts";
export { Jobs, type JobsListResponse_Job } from "./gen/cmdop/v1/jobs_pb.ts";
export {
  Lane,
  Link,
  LinkHelloRequestSchema,
  LinkHelloResponseSchema,
  LinkWelcomeRequestSchema,
} from "./gen/cmdop/v1/link_pb.ts";
export {
  Machine,
  MachineExplainResponse_Decision as ExplainDecision,
  type MachineHealth,
  type MachineInfoResponse,
} from "./gen/cmdop/v1/machine_pb.ts";
export {
  Sessions,
  type SessionsCreateRequest,
  type SessionsScreenResponse,
} from "./gen/cmdop/v1/sessions_pb.ts";
export { CALLER_HEADERS, HEADER_PREFIX, HEADERS } from "./headers.ts";
export { type Bound, type HeldBounds, HeldBytes, type Holder, MAX_SMALL_BYTES } from "./held-bytes.ts";
export {
  CALL_TOKEN_LIFETIME_S,
  CLOCK_TOLERANCE_S,
  FILE_CHUNK_BYTES,
  INPUT_CHUNK_BYTES,
  LEAVE_WITHIN_MS,
  MAX_COMMAND_BYTES,
  MAX_FRONT_HEADER_BYTES,
  MAX_INLINE_STDIN_BYTES,
  MAX_LINK_HEADER_BYTES,
  MAX_MESSAGE_BYTES,
  MAX_OUTPUT_SCHEMA_BYTES,
  MAX_PATH_BYTES,
  MAX_PROMPT_BYTES,
  MAX_ROSTER_BYTES,
  MAX_STATEMENT_BYTES,
  MAX_STATUS_MESSAGE_BYTES,
  MAX_UNARY_CONTENT_BYTES,
  OUTPUT_CHUNK_BYTES,
  RECONNECT_WINDOW_MS,
} from "./limits.ts";
export { AGENT_UNIT, agentStateDir, localSocketPath } from "./local-socket.ts";
export { asData, dataMarker, withoutMarks } from "./marked-data.ts";
export {
  DEFAULT_MAX_REQUEST_BYTES,
  LINK_SERVICE_PREFIX,
  METHODS,
  type MethodRule,
  methodRule,
  OWNER_SCOPES,
  type PathScope,
  RELAY_SERVICES_PREFIX,
  requestPaths,
  SCOPES,
  type Scope,
} from "./methods.ts";
export { LoopbackHttp } from "./metrics/loopback-http.ts";
export { type EndMeasured, type Gauge, Metrics } from "./metrics/metrics.ts";
export {
  canonicalPath,
  pathBytes,
  pathCharacters,
  pathText,
  patternCharacters,
  systemPath,
} from "./path-text.ts";
export { readPrivateFile, refuseShared, writePrivateFile } from "./private-file.ts";
export { PROTOCOL } from "./protocol.ts";
export { alternatingBuffers, readAhead } from "./read-ahead.ts";
export {
  type Artefact,
  INSTALLER_FILE,
  isArtefact,
  MANIFEST_FILE,
  type ReleaseManifest,
  readManifest,
  signManifest,
  verifyManifest,
} from "./release/manifest.ts";
export { mayHaveRun } from "./rpc/broken-call.ts";
export { type RpcChannel, sessionChannel } from "./rpc/channel.ts";
export { type ChannelOf, createClient } from "./rpc/client.ts";
export { codec } from "./rpc/codec.ts";
export { drained } from "./rpc/drained.ts";
export { stopReceiving } from "./rpc/incoming-call.ts";
export { type MessageField, messageFields } from "./rpc/message-fields.ts";
export {
  isMessageOf,
  type MessageInit,
  type MessageOf,
  type MessageType,
  messageOf,
} from "./rpc/message-of.ts";
export { methodPath } from "./rpc/method-path.ts";
export { RpcServer } from "./rpc/rpc-server.ts";
export type { ServedCall, Watch, WatchCall } from "./rpc/served-call.ts";
export { serve } from "./rpc/server.ts";
export type {
  Admit,
  Admitted,
  Arrival,
  Call,
  CallOptions,
  Handlers,
  Service,
  ServiceClient,
} from "./rpc/types.ts";
export {
  AGENT_TYPES,
  type AgentTypeName,
  agentTypeName,
  RUN_APPROVES,
  type RunApproveName,
  type RunEvent,
  type RunFailure,
  type RunUsage,
  readRunEvent,
  runApproveName,
  runEventLine,
  WIRE_AGENT_TYPES,
  WIRE_RUN_APPROVES,
} from "./run-events.ts";
export { parseStrictJson } from "./strict-json.ts";
export { TerminalText } from "./terminal-text/terminal-text.ts";
export { DETECT_BYTES, type Detected, detectText } from "./text/detect.ts";
export { characterBytes, decodeStrictly, encodeText, type TextEncodingName } from "./text/encodings.ts";
export { nextLine, type Readable, readable, type Stray, textNotes } from "./text/readable.ts";
export { type ByteWindow, OpenedText, type ReadAt, type TextWindow } from "./text/window.ts";
export { argumentReader } from "./tool-arguments.ts";
export { DrainingDuplex } from "./transport/draining-duplex.ts";
export { fitWindow, windowFor } from "./transport/fit-window.ts";
export { applyWindows, LANE_WINDOWS, LANES, type LaneName, type Windows } from "./transport/lanes.ts";
export {
  AGENT_ALPN,
  CALLER_ALPN,
  connectToRelay,
  RELAY_CA_NAME,
  RELAY_CONNECT_TIMEOUT_MS,
  type RelayConnectOptions,
} from "./transport/relay-tls.ts";
export { unreadBytes } from "./transport/unread.ts";
export { DEAD_AFTER_MS, PING_INTERVAL_MS, type Watchdog, watchdog } from "./transport/watchdog.ts";
export { collectYoungBuffers, noteContent } from "./transport/young-buffers.ts";
export { sortedKeys, useHash } from "./use-hash.ts";
export { printable, visible } from "./visible.ts";
export { WriteBehind } from "./write-behind.ts";
