import { CmdopError } from "@cmdop/proto";
import { MAX_FRAME_BYTES } from "./limits.ts";

/** What a frame is; which end sends it. */
export const FRAME = {
  /** Agent: a call begins. */
  open: 1,
  /** Both: a message of the call. */
  message: 2,
  /** Both: the reader is done with a message. */
  consumed: 3,
  /** Agent: the requests are complete. Process: the call is over, and well. */
  end: 4,
  /** Agent: nobody waits for the call any more. */
  cancel: 5,
  /** Process: the call is over, and failed. */
  failed: 6,
  /** Both: what belongs to no call. */
  told: 7,
} as const;

/** Before each frame: four bytes for the payload's length, one for what it is, four for the call. */
export const HEAD_BYTES = 9;

/** Read at once where it is not known what comes: several small frames, or the beginning of a large one. */
const SCRATCH_BYTES = 64 * 1024;

/** Whoever takes the frames that arrive. */
export interface FrameTaker {
  /** Memory for a payload. It is read into directly: content is not copied again. */
  room(call: number, bytes: number): Buffer;
  /** A frame, whole. */
  take(kind: number, call: number, payload: Buffer): void;
}

/** The head of a frame. */
export function headOf(kind: number, call: number, bytes: number): Buffer {
  const head = Buffer.allocUnsafe(HEAD_BYTES);
  head.writeUInt32BE(bytes, 0);
  head[4] = kind;
  head.writeUInt32BE(call, 5);
  return head;
}

/** Takes the bytes of a pipe apart into frames. It says where the next bytes are to be read into, and is told how many came. */
export class FrameReader {
  readonly #taker: FrameTaker;
  readonly #scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES);
  #scratchBytes = 0;
  /** A frame of which not all has come. */
  #amid:
    | { readonly kind: number; readonly call: number; readonly payload: Buffer; bytes: number }
    | undefined;

  constructor(taker: FrameTaker) {
    this.#taker = taker;
  }

  /** Where the next bytes go. */
  get room(): Buffer {
    const amid = this.#amid;
    return amid === undefined
      ? this.#scratch.subarray(this.#scratchBytes)
      : amid.payload.subarray(amid.bytes);
  }

  /** So many bytes have come into the room. Throws MessageTooLarge for what no end of ours sends. */
  arrived(bytes: number): void {
    const amid = this.#amid;
    if (amid === undefined) {
      this.#scratchBytes += bytes;
      this.#takeApart();
      return;
    }
    amid.bytes += bytes;
    if (amid.bytes < amid.payload.length) return;
    this.#amid = undefined;
    this.#taker.take(amid.kind, amid.call, amid.payload);
  }

  #takeApart(): void {
    const scratch = this.#scratch;
    const end = this.#scratchBytes;
    let at = 0;
    while (end - at >= HEAD_BYTES) {
      const length = scratch.readUInt32BE(at);
      const kind = scratch.readUInt8(at + 4);
      const call = scratch.readUInt32BE(at + 5);
      if (length > MAX_FRAME_BYTES) throw new CmdopError("MessageTooLarge", `A frame of ${length} bytes.`);
      const payload = this.#taker.room(call, length);
      const from = at + HEAD_BYTES;
      const bytes = scratch.copy(payload, 0, from, Math.min(end, from + length));
      at = from + bytes;
      if (bytes === length) this.#taker.take(kind, call, payload);
      else this.#amid = { kind, call, payload, bytes };
    }
    if (at > 0) scratch.copyWithin(0, at, end);
    this.#scratchBytes = end - at;
  }
}
