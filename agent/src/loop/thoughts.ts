/** A piece of a model's answer. */
export interface Piece {
  /** `revoked`: all text before it was a thought that had an end tag but no start tag. */
  readonly kind: "text" | "thought" | "revoked";
  readonly text: string;
}

/** The tags around a section at the head of an answer; upper and lower case are the same. */
interface Section {
  readonly kind: "text" | "thought";
  readonly open: string;
  readonly closes: readonly string[];
}

/** Element names of thoughts. DeepSeek, Qwen and GLM use the first; smaller vendors use the others. */
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

/** Tags that some models put around their answer, after a thought. */
const WRAPPERS: readonly Section[] = [
  section("text", "<answer>", "</answer>"),
  section("text", "<|start_response|>", "<|end_response|>"),
  section("text", "<|begin_of_solution|>", "<|end_of_solution|>"),
];

/** The head of a gpt-oss message. Its channels are messages of their own; `final` is the answer. */
const CHANNEL = /^(?:<\|start\|>assistant)?<\|channel\|>([\s\S]*?)<\|message\|>/;
const CHANNEL_BEGINNINGS = ["<|start|>assistant<|channel|>", "<|channel|>"];
const CHANNEL_CLOSES = ["<|end|>", "<|return|>", "<|call|>", "<|start|>", "<|channel|>"];
/** Most characters of such a head: a channel, and a recipient. */
const MAX_CHANNEL_CHARACTERS = 200;

/** End tags of a thought whose start tag was in the prompt, as with DeepSeek and Qwen on some servers. */
const LONE_CLOSES = ["</think>", "[/think]", "</thinking>"];

const BLANK = /^[\s\ufeff]+/;

/**
 * Separates a model's thoughts from its answer, piece by piece. The position decides: a thought stands at the
 * head of an answer, or after another thought. The same tag further on is text, for example in an answer
 * about such tags. An end tag without a start tag counts only where no writer would put it (isLoneEnd).
 */
export class ThoughtSplitter {
  #state: "head" | "answer" | "held" | Section;
  #buffer = "";
  #hasThought = false;
  /** The answer's text given out so far; undefined once it can no longer turn out to be a thought. */
  #given: string | undefined = "";

  /**
   * `isHeldBack`: the model is known for end tags without start tags, so its text is held back until one
   * comes.
   */
  constructor(isHeldBack = false) {
    this.#state = isHeldBack ? "held" : "head";
  }

  /** True while a thought has begun and not ended. */
  get isThinking(): boolean {
    return typeof this.#state === "object" && this.#state.kind === "thought";
  }

  push(text: string): Piece[] {
    this.#buffer += text;
    const pieces: Piece[] = [];
    while (this.#advance(pieces));
    return pieces.filter(({ kind, text }) => text !== "" || kind === "revoked");
  }

  /** Returns the rest: the answer has ended. */
  end(): Piece[] {
    const text = this.#buffer;
    this.#buffer = "";
    const isBlank = text.replace(BLANK, "") === "";
    if (text === "" || (isBlank && this.#state === "head")) return [];
    return [{ kind: this.isThinking ? "thought" : "text", text }];
  }

  /** Takes as much as it can from the buffer; returns true if there may be more to take. */
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
    // White space between a thought and its answer is dropped.
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
    // In gpt-oss, the tag that ends this message also begins the next one.
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
    // The first end tag decides.
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
    // It is a text about thoughts, not the end of one.
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

  /** Takes the buffer except for a tail that may be the start of an end tag. */
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
 * True if a thought ends after this text, which did not begin as one. Such an end tag stands at the start of
 * a line, or directly after a word or a full stop. A writer who mentions the tag has its start tag before it,
 * puts a space or a quotation mark in front of it, or has it in a code block.
 */
function isLoneEnd(text: string): boolean {
  if (/[<[]think/i.test(text) || text.split("```").length % 2 === 0) return false;
  return /(?:^|\n)[ \t]*$|[\p{L}\p{N}.!?…:;,)\]}]$/u.test(text);
}

/** Returns a whole answer without its thoughts. */
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

/** Finds the first of several end tags in a text. */
function firstOf(text: string, closes: readonly string[]): { at: number; close: string } | undefined {
  const pattern = new RegExp(closes.map((close) => close.replaceAll(/[|[\]\\/]/g, "\\$&")).join("|"), "i");
  const found = pattern.exec(text);
  return found === null ? undefined : { at: found.index, close: found[0].toLowerCase() };
}
