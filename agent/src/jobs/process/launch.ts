import { isUtf8 } from "node:buffer";
import { pathBytes } from "@cmdop/proto";
import type { Environment } from "./environment.ts";
import { JOB_MARK_VARIABLE } from "./environment.ts";
import type { JobUser } from "./run-as.ts";

/** A program, and all that it gets. */
export interface Program {
  readonly program: string;
  readonly args: readonly string[];
  /** An absolute path. */
  readonly cwd: string;
  readonly env: Environment;
}

/** A program that has more before it than Node's own spawn can do. */
export interface Launch extends Program {
  /** An absolute path, written as names are (`pathText`). */
  readonly cwd: string;
  /** Whether program and arguments are written so too: they have bytes that are not UTF-8. */
  readonly escaped?: boolean | undefined;
  /** Whom it runs as, where that is not the agent's own user. */
  readonly user?: JobUser | undefined;
  /** What of the environment the agent itself has made. */
  readonly trusted: Environment;
  /** The path of the terminal that becomes that of its session, and its three ends. */
  readonly terminal?: string | undefined;
}

/** What a process is called as long as it is on its way to its program. */
export const LAUNCHER_NAME = "cmdop-launch";

/** Where it says what it fails at: a pipe that ends, without a word, where the program begins. */
export const MARK_DESCRIPTOR = 3;

/** What a variable is called until the user's own shell gives it its name. */
const HIDDEN_PREFIX = "CMDOP_ENV_";

/** What a shell can export. */
const EXPORTABLE = /^[A-Za-z_]\w*$/;

/** Node passes on text only: "$@" comes with the bytes beyond ASCII, and the backslash, as octal numbers. */
const DECODE = [
  "for CMDOP_WORD do shift",
  `case $CMDOP_WORD in *\\\\*) CMDOP_WORD=$(printf %b. "$CMDOP_WORD"); CMDOP_WORD=\${CMDOP_WORD%.} ;; esac`,
  'set -- "$@" "$CMDOP_WORD"; done; unset CMDOP_WORD',
].join("\n");

/** A shell tells no error's name, but `ls` does. */
const FAIL = [
  `fail() { trap - EXIT; printf '%s\\n' "$*" >&${MARK_DESCRIPTOR}; exit 126; }`,
  `look() { if [ -e "$1" ]; then echo there; else echo -; fi; LC_ALL=C /bin/ls -d -- "$2" 2>&1; }`,
];

/** $1 is the directory. */
const ENTER = 'cd -- "$1" 2>/dev/null || fail directory 0 "$(look "$1" "$1/.")"';

/** $1 is the terminal. Without iutf8 a backspace would take a byte rather than a character; where there is no stty, it does. */
const TAKE_TERMINAL = 'exec 0<>"$1" 1>&0 2>&0; shift; stty iutf8 2>/dev/null';

/**
 * "$@" is the program. It is looked for first, since a shell would complain on the job's own standard error. What that
 * overlooks is told at the shell's end, which is what a failed `exec` comes to. While the last line runs, the mark's
 * descriptor is a copy that no program inherits.
 */
const BECOME = [
  `trap 'fail program $? "$(look "$(command -v -- "$1" || echo "$1")" "$1")"' EXIT`,
  'case $1 in */*) [ -x "$1" ] && ! [ -d "$1" ] ;; *) command -v -- "$1" >/dev/null ;; esac || exit',
  `{ exec "$@"; } ${MARK_DESCRIPTOR}>&-`,
];

/**
 * A shell that becomes the program. Whatever lies on a file system that does not answer,
 * its directory, its terminal, its program, keeps that shell waiting and nobody else.
 *
 * As another user: setpriv is still root when it begins, and the loader does what
 * LD_PRELOAD and others say. So whatever the caller has set travels under another
 * name, and the shell, which is the user already, gives it its own; the values stay
 * out of argv, which everybody on the machine can read.
 * @throws Error where a variable has a name that no shell can export, and another user shall have it
 */
export function throughShell(launch: Launch): Program {
  const { program, args, cwd, escaped = false, env, user, trusted, terminal } = launch;
  const isOwn = ([name, value]: [string, string]): boolean =>
    user === undefined || name === JOB_MARK_VARIABLE || trusted[name] === value;
  const variables = Object.entries(env);
  const strange = variables.filter(([name]) => !EXPORTABLE.test(name));
  if (user !== undefined && strange[0] !== undefined) {
    throw new Error(
      `Jobs run as ${user.name} here, and the variable ${JSON.stringify(strange[0][0])} can't be handed on: use letters, digits and _.`,
    );
  }
  const hidden = variables.filter((variable) => !isOwn(variable));
  const hasBytes = needsBytes(launch);
  const script = [
    ...(hasBytes ? [DECODE] : []),
    `printf ${LAUNCHER_NAME} 2>/dev/null >/proc/self/comm`,
    ...FAIL,
    ENTER,
    "shift",
    `unset OLDPWD${"PWD" in env ? "" : " PWD"}`,
    ...(terminal === undefined ? [] : [TAKE_TERMINAL]),
    ...hidden.map(([name]) => `export ${name}="$${HIDDEN_PREFIX}${name}"; unset ${HIDDEN_PREFIX}${name}`),
    ...BECOME,
  ].join("\n");
  // A shell drops variables whose names it could not write; env(1) does not.
  const handedOn =
    strange.length === 0 ? [] : ["/usr/bin/env", ...strange.map(([name, value]) => `${name}=${value}`)];
  const command = [program, ...args];
  const words = [
    pathBytes(cwd),
    ...[...(terminal === undefined ? [] : [terminal]), ...handedOn].map((word) => Buffer.from(word)),
    ...command.map((word) => (escaped ? pathBytes(word) : Buffer.from(word))),
  ];
  const shell = ["/bin/sh", "-c", script, "cmdop", ...words.map(hasBytes ? octal : String)];
  const [first = "", ...rest] = user === undefined ? shell : [...becoming(user), ...shell];
  return {
    program: first,
    args: rest,
    cwd: "/",
    env: Object.fromEntries([
      ...variables.filter(isOwn),
      ...hidden.map(([name, value]) => [HIDDEN_PREFIX + name, value]),
    ]),
  };
}

/** Whether its directory, its program or an argument has bytes that are not UTF-8: only a shell can hand them on. */
export function needsBytes({ program, args, cwd, escaped = false }: Launch): boolean {
  const written = escaped ? [cwd, program, ...args] : [cwd];
  return !written.every((text) => isUtf8(pathBytes(text)));
}

/** As printf's %b reads it. */
function octal(word: Buffer): string {
  return word
    .toString("latin1")
    .replaceAll(/[\\\x80-\xff]/g, (byte) => `\\0${byte.charCodeAt(0).toString(8).padStart(3, "0")}`);
}

/** With that user's groups, which Node's own `uid` would drop. */
function becoming({ setpriv, uid, gid }: JobUser): string[] {
  return [setpriv, `--reuid=${uid}`, `--regid=${gid}`, "--init-groups", "--"];
}
