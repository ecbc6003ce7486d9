/** A piece of what a model said. */
export interface Piece {
  /** `revoked`: all text before it was a thought, whose end came without its beginning. */
  readonly kind: "text" | "thought" | "revoked";
  readonly text: string;
}

/** What begins a section at the head of an answer, and what ends it; upper and lower case are the same. */
interface Section {
  readonly kind: "text" | "thought";
  readonly open: string;
  readonly closes: readonly string[];
}

/** Elements that models think in: DeepSeek, Qwen and GLM have the first, the others are those of smaller houses. */
const THINKING_ELEMENTS = [
  "think",
  "thinking",
  "thought",
  "thoughts",
  "reasoning",
  "reflection",
  "scratchpad",
  "seed:think",
];

const SECTIONS: readonly Section[] = [
  ...THINKING_ELEMENTS.map((name) => section("thought", `<${name}>`, `</${name}>`)),
  // Magistral, Cohere, OpenThinker, Kimi, MedGemma, Gemma.
  section("thought", "[think]", "[/think]"),
  section("thought", "<|start_thinking|>", "<|end_thinking|>"),
  section("thought", "<|begin_of_thought|>", "<|end_of_thought|>"),
  section("thought", "◁think▷", "◁/think▷"),
  section("thought", "<unused94>", "<unused95>"),
  section("thought", "<|channel>", "<channel|>"),
];

/** What some models put around their answer, behind a thought. */
const WRAPPERS: readonly Section[] = [
  section("text", "<answer>", "</answer>"),
  section("text", "<|start_response|>", "<|end_response|>"),
  section("text", "<|begin_of_solution|>", "<|end_of_solution|>"),
];

/** The head of a message of gpt-oss, whose channels are messages of their own; `final` is the answer. */
const CHANNEL = /^(?:<\|start\|>assistant)?<\|channel\|>([\s\S]*?)<\|message\|>/;
const CHANNEL_BEGINNINGS = ["<|start|>assistant<|channel|>", "<|channel|>"];
const CHANNEL_CLOSES = ["<|end|>", "<|return|>", "<|call|>", "<|start|>", "<|channel|>"];
/** Characters of such a head: a channel, and a recipient. */
const MAX_CHANNEL_CHARACTERS = 200;

/** The end of a thought whose beginning stood in the prompt: as some servers have DeepSeek's and Qwen's. */
const LONE_CLOSES = ["</think>", "[/think]", "</thinking>"];

const BLANK = /^[\s\ufeff]+/;

/**
 * Takes the thoughts out of what a model says, piece by piece. Where they stand
 * decides: a thought is at the head of an answer, or behind another thought. The
 * same tag further on is text, an answer about such tags for one; an end without
 * a beginning counts only where no writer would put it (isLoneEnd).
 */
export class ThoughtSplitter {
  #state: "head" | "answer" | "held" | Section;
  #buffer = "";
  #hasThought = false;
  /** The answer as far as it was given out; undefined once it can't turn out to be a thought. */
  #given: string | undefined = "";

  /** `isHeldBack`: the model is known for ends without beginnings, so its text waits for one. */
  constructor(isHeldBack = false) {
    this.#state = isHeldBack ? "held" : "head";
  }

  /** Whether a thought has begun, and not ended. */
  get isThinking(): boolean {
    return typeof this.#state === "object" && this.#state.kind === "thought";
  }

  push(text: string): Piece[] {
    this.#buffer += text;
    const pieces: Piece[] = [];
    while (this.#advance(pieces));
    return pieces.filter(({ kind, text }) => text !== "" || kind === "revoked");
  }

  /** Nothing more comes. */
  end(): Piece[] {
    const text = this.#buffer;
    this.#buffer = "";
    const isBlank = text.replace(BLANK, "") === "";
    if (text === "" || (isBlank && this.#state === "head")) return [];
    return [{ kind: this.isThinking ? "thought" : "text", text }];
  }

  /** Takes what it can from the buffer; whether there may be more to take. */
  #advance(pieces: Piece[]): boolean {
    if (this.#state === "head") return this.#readHead();
    if (this.#state === "answer") return this.#readAnswer(pieces);
    if (this.#state === "held") return this.#readHeld(pieces);
    return this.#readSection(this.#state, pieces);
  }

  #readHead(): boolean {
    const text = this.#buffer.replace(BLANK, "");
    if (text === "") return false;
    const head = text.slice(0, MAX_CHANNEL_CHARACTERS).toLowerCase();
    const channel = CHANNEL.exec(head);
    const known = this.#hasThought ? [...SECTIONS, ...WRAPPERS] : SECTIONS;
    const found =
      channel === null ? known.find(({ open }) => head.startsWith(open)) : channelSection(channel);
    if (found !== undefined) {
      this.#enter(found, text.slice(found.open.length));
      return true;
    }
    const openings = [...known.map(({ open }) => open), ...CHANNEL_BEGINNINGS];
    const mayBe =
      openings.some((open) => open.startsWith(head)) ||
      (CHANNEL_BEGINNINGS.some((open) => head.startsWith(open)) && head.length < MAX_CHANNEL_CHARACTERS);
    if (mayBe) return false;
    this.#state = "answer";
    // Nothing is before an answer that has a thought before it.
    if (this.#hasThought) this.#buffer = text;
    return true;
  }

  #enter(found: Section, rest: string): void {
    this.#state = found;
    this.#buffer = rest;
    this.#hasThought = true;
  }

  #readSection({ kind, closes }: Section, pieces: Piece[]): boolean {
    const end = firstOf(this.#buffer, closes);
    if (end === undefined) {
      pieces.push({ kind, text: this.#takeSure(closes) });
      return false;
    }
    pieces.push({ kind, text: this.#buffer.slice(0, end.at) });
    // The next message of gpt-oss begins with what ends this one.
    const isNext = CHANNEL_BEGINNINGS.some((open) => open.startsWith(end.close));
    this.#buffer = this.#buffer.slice(isNext ? end.at : end.at + end.close.length);
    this.#state = "head";
    return true;
  }

  #readAnswer(pieces: Piece[]): boolean {
    if (this.#hasThought) this.#given = undefined;
    const given = this.#given;
    const end = given === undefined ? undefined : firstOf(this.#buffer, LONE_CLOSES);
    if (given === undefined || end === undefined) {
      const text = given === undefined ? this.#buffer : this.#takeSure(LONE_CLOSES);
      if (given === undefined) this.#buffer = "";
      else this.#given = given + text;
      pieces.push({ kind: "text", text });
      return false;
    }
    const text = this.#buffer.slice(0, end.at);
    pieces.push({ kind: "text", text });
    this.#buffer = this.#buffer.slice(end.at);
    // The first end decides.
    this.#given = undefined;
    if (isLoneEnd(given + text)) {
      pieces.push({ kind: "revoked", text: "" });
      this.#leaveThought(end.close);
    }
    return true;
  }

  #readHeld(pieces: Piece[]): boolean {
    const end = firstOf(this.#buffer, LONE_CLOSES);
    const own = SECTIONS.some(({ open }) => this.#buffer.replace(BLANK, "").toLowerCase().startsWith(open));
    if (own) this.#state = "head";
    if (own || end === undefined) return own;
    // A text about thoughts, not the end of one.
    if (!isLoneEnd(this.#buffer.slice(0, end.at))) {
      this.#state = "answer";
      return true;
    }
    pieces.push({ kind: "thought", text: this.#buffer.slice(0, end.at) });
    this.#buffer = this.#buffer.slice(end.at);
    this.#leaveThought(end.close);
    return true;
  }

  #leaveThought(close: string): void {
    this.#buffer = this.#buffer.slice(close.length);
    this.#hasThought = true;
    this.#state = "head";
  }

  /** All but what may be the beginning of an end. */
  #takeSure(closes: readonly string[]): string {
    const longest = Math.max(...closes.map(({ length }) => length));
    const from = Math.max(0, this.#buffer.length - longest + 1);
    const tail = this.#buffer.slice(from).toLowerCase();
    const offset = Array.from(tail, (_, at) => at).find((at) =>
      closes.some((close) => close.startsWith(tail.slice(at))),
    );
    const sure = this.#buffer.slice(0, offset === undefined ? this.#buffer.length : from + offset);
    this.#buffer = this.#buffer.slice(sure.length);
    return sure;
  }
}

/**
 * Whether a thought ends behind this text, which has not begun as one. Such an
 * end stands at the beginning of a line, or right behind a word or a full stop.
 * Who writes about the tag has its beginning before it, puts a space or a
 * quotation mark there, or has it in a code block.
 */
function isLoneEnd(text: string): boolean {
  if (/[<[]think/i.test(text) || text.split("```").length % 2 === 0) return false;
  return /(?:^|\n)[ \t]*$|[\p{L}\p{N}.!?…:;,)\]}]$/u.test(text);
}

/** A whole answer without its thoughts. */
export function withoutThoughts(text: string): string {
  const splitter = new ThoughtSplitter();
  let answer = "";
  for (const { kind, text: piece } of [...splitter.push(text), ...splitter.end()])
    answer = kind === "revoked" ? "" : kind === "text" ? answer + piece : answer;
  return answer;
}

function section(kind: Section["kind"], open: string, close: string): Section {
  return { kind, open, closes: [close] };
}

function channelSection([open, name = ""]: RegExpExecArray): Section {
  const kind = name.trim().startsWith("final") ? "text" : "thought";
  return { kind, open: open ?? "", closes: CHANNEL_CLOSES };
}

/** The first of several ends in a text. */
function firstOf(text: string, closes: readonly string[]): { at: number; close: string } | undefined {
  const pattern = new RegExp(closes.map((close) => close.replaceAll(/[|[\]\\/]/g, "\\$&")).join("|"), "i");
  const found = pattern.exec(text);
  return found === null ? undefined : { at: found.index, close: found[0].toLowerCase() };
}
