import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/**
 * Records what full-screen programs write to a terminal, and what tmux makes of
 * it: the fixtures of e2e/terminal-programs.test.ts. Run it by hand, on Debian as
 * root where vim, less or tmux are missing: `node scripts/record-terminal-programs.ts`.
 *
 * Each program runs once in a tmux pane whose output is copied byte for byte.
 * The same bytes then go to a new pane, and what that shows is what is expected.
 */
const FIXTURES = path.join(import.meta.dirname, "../e2e/fixtures/terminal-programs");
const BIOME = path.join(import.meta.dirname, "../node_modules/.bin/biome");

const SIZES = [
  { cols: 80, rows: 24 },
  { cols: 120, rows: 40 },
  { cols: 40, rows: 10 },
];

/** A program is done with its keys when it wrote nothing for this long, in milliseconds. */
const QUIET_MS = 500;

interface Program {
  readonly name: string;
  readonly command: string;
  /** What is typed, in the notation of tmux's send-keys, before each moment that is kept. */
  readonly moments: readonly { readonly name: string; readonly keys: readonly string[] }[];
}

const PROGRAMS: readonly Program[] = [
  {
    name: "vim",
    command: "vim -u NONE -N -i NONE +'syntax on' +'set number ruler hlsearch' story.c",
    moments: [
      { name: "a file is open", keys: [] },
      {
        name: "text is inserted and lines are moved",
        keys: ["o", "new wörds 日本", "Escape", "d", "d", "p"],
      },
      {
        name: "a search is shown in split windows",
        keys: ["/line", "Enter", ":vsplit", "Enter", ":split", "Enter", "C-d"],
      },
      { name: "it has ended", keys: [":qa!", "Enter"] },
    ],
  },
  {
    name: "less",
    command: "less -R -M text.txt",
    moments: [
      { name: "the first page", keys: [] },
      { name: "pages forward and back", keys: ["Space", "Space", "b", "j", "j", "k"] },
      { name: "a search is shown", keys: ["/wide", "Enter", "n"] },
      { name: "the end", keys: ["G"] },
      { name: "it has ended", keys: ["q"] },
    ],
  },
  {
    name: "tmux",
    command: "env -u TMUX tmux -u -L cmdop-inner -f inner.conf new -s inner -n shell",
    moments: [
      { name: "a shell", keys: ["cat story.c", "Enter"] },
      {
        name: "two panes",
        keys: ["C-b", "%", "seq 1 60", "Enter", "C-b", '"', "head -n 4 text.txt", "Enter"],
      },
      {
        name: "a pane is zoomed, scrolled and left",
        keys: ["C-b", "Left", "C-b", "z", "C-b", "[", "PageUp", "q", "C-b", "z"],
      },
      { name: "it has ended", keys: ["C-b", ":", "kill-server", "Enter"] },
    ],
  },
];

const directory = mkdtempSync(path.join(tmpdir(), "cmdop-record-"));
try {
  installMissing(["vim", "less", "tmux"]);
  writeInputs();
  mkdirSync(FIXTURES, { recursive: true });
  for (const program of PROGRAMS) for (const size of SIZES) await record(program, size);
  execFileSync(BIOME, ["check", "--write", FIXTURES], { stdio: "inherit" });
} finally {
  rmSync(directory, { recursive: true });
}

async function record(
  { name, command, moments }: Program,
  { cols, rows }: (typeof SIZES)[number],
): Promise<void> {
  console.log(`${name} ${cols}x${rows}`);
  const file = path.join(directory, "bytes");
  writeFileSync(file, "");
  // It waits for a line, so that the copy begins before the program does.
  newPane({ cols, rows }, `stty -echo; read -r go; TERM=xterm-256color ${command}; sleep 600`);
  const recorded: { name: string; bytes: string; lines: string[]; cursor: object; alternate: boolean }[] = [];
  try {
    tmux("pipe-pane", "-o", `cat >> ${file}`);
    tmux("send-keys", "Enter");
    let before = 0;
    for (const moment of moments) {
      await quiet(file);
      for (const key of moment.keys) {
        tmux("send-keys", key);
        await quiet(file);
      }
      const all = readFileSync(file);
      recorded.push({
        name: moment.name,
        bytes: all.subarray(before).toString(),
        ...(await shownAfter(all, { cols, rows })),
      });
      before = all.length;
    }
  } finally {
    tmux("kill-server");
  }
  const text = JSON.stringify({ program: name, cols, rows, moments: recorded }, null, 2);
  writeFileSync(path.join(FIXTURES, `${name}-${cols}x${rows}.json`), text);
}

/** What a new pane of this size shows when it is given these bytes. */
async function shownAfter(bytes: Buffer, size: (typeof SIZES)[number]) {
  const file = path.join(directory, "replayed");
  writeFileSync(file, bytes);
  const replay = ["-L", "cmdop-replay"];
  // Bytes go through unchanged, and what tmux answers to queries is not shown.
  newPane(size, `stty raw -echo; cat ${file}; touch ${file}.done; sleep 60`, replay);
  try {
    while (statSync(`${file}.done`, { throwIfNoEntry: false }) === undefined) await sleep(20);
    await sleep(QUIET_MS);
    const shown = tmux(...replay, "capture-pane", "-p").replace(/\n$/, "");
    const state = tmux(...replay, "display-message", "-p", "#{cursor_x} #{cursor_y} #{alternate_on}");
    const [col = 0, row = 0, alternate = 0] = state.split(" ").map(Number);
    rmSync(`${file}.done`);
    return {
      lines: shown.split("\n").map((line) => line.trimEnd()),
      cursor: { col, row },
      alternate: alternate === 1,
    };
  } finally {
    tmux(...replay, "kill-server");
  }
}

function newPane({ cols, rows }: (typeof SIZES)[number], line: string, server: readonly string[] = []): void {
  writeFileSync(
    path.join(directory, "outer.conf"),
    "set -g status off\nset -g default-terminal tmux-256color\n",
  );
  const conf = ["-f", path.join(directory, "outer.conf")];
  tmux(
    ...server,
    ...conf,
    "new-session",
    "-d",
    "-x",
    String(cols),
    "-y",
    String(rows),
    "-c",
    directory,
    line,
  );
}

/** Runs tmux with a server of our own, UTF-8, and nothing of the user's settings. */
function tmux(...args: string[]): string {
  const server = args[0] === "-L" ? [] : ["-L", "cmdop-record"];
  const env = {
    PATH: process.env.PATH,
    HOME: directory,
    TMUX_TMPDIR: directory,
    LC_ALL: "C.UTF-8",
    SHELL: "/bin/sh",
  };
  return execFileSync("tmux", ["-u", ...server, ...args], { env, encoding: "utf8" });
}

async function quiet(file: string): Promise<void> {
  for (let size = -1; size !== statSync(file).size; await sleep(QUIET_MS)) size = statSync(file).size;
}

function writeInputs(): void {
  const story = [
    "#include <stdio.h>",
    "",
    "/* A line that is longer than the smallest of the terminals is wide. */",
  ];
  for (let line = 1; line <= 60; line++) story.push(`int line_${line}(void) {\treturn ${line}; }`);
  writeFileSync(path.join(directory, "story.c"), `${story.join("\n")}\n`);
  const text: string[] = [];
  for (let line = 1; line <= 120; line++) {
    text.push(
      line % 10 === 0
        ? `${line} wide: 日本語 한국어 中文 🚀, narrow: ✓: äöü éàè ß, combined: e\u0301 a\u0308`
        : line % 7 === 0
          ? `\x1b[1;3${line % 8}m${line} in bold and color\x1b[0m, and ${"long ".repeat(12)}end`
          : `${line} plain`,
    );
  }
  writeFileSync(path.join(directory, "text.txt"), `${text.join("\n")}\n`);
  writeFileSync(
    path.join(directory, "inner.conf"),
    'set -g default-terminal xterm-256color\nset -g status-right ""\nset -g automatic-rename off\nset -g default-command "PS1=\'$ \' exec /bin/sh"\n',
  );
}

function installMissing(programs: readonly string[]): void {
  const missing = programs.filter((program) => {
    try {
      execFileSync("/bin/sh", ["-c", `command -v ${program}`], { stdio: "ignore" });
      return false;
    } catch (error) {
      if (error instanceof Error && "status" in error) return true;
      throw error;
    }
  });
  if (missing.length > 0) execFileSync("apt-get", ["install", "-y", "-q", ...missing], { stdio: "inherit" });
}
