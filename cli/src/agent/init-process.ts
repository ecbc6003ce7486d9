import { accessSync, constants } from "node:fs";

const SHELL = "/bin/sh";

/**
 * An init: starts "$@", hands signals on to it, reaps whatever is left to process 1
 * (a shell that waits does), and ends as it ends. What a terminal sends (Ctrl-C) reaches
 * both by itself, and twice would end the command at once. A command in the background
 * reads nothing unless it is told what.
 */
const INIT = `
child=
hand_on() { [ "$child" ] && kill -"$1" "$child" 2>/dev/null; }
trap 'hand_on TERM' TERM
if [ -t 0 ]; then trap : INT HUP QUIT; else trap 'hand_on INT' INT; trap 'hand_on HUP' HUP; fi
exec 3<&0
"$@" <&3 3<&- &
child=$!
exec 3<&-
while :; do
  wait "$child"
  status=$?
  kill -0 "$child" 2>/dev/null || exit "$status"
done
`;

/**
 * Where this process is the first of its system, as in a container without an init, it
 * starts over as the child of a shell: orphans of jobs become children of process 1, and
 * Node reaps none but its own. Returns where it is not, or where there is no shell.
 */
export function startUnderInit(): void {
  if (process.pid !== 1) return;
  const { execPath, execArgv, argv } = process;
  try {
    accessSync(SHELL, constants.X_OK);
  } catch {
    process.stderr.write(
      `warning: this is process 1, and there is no ${SHELL} to be its init: ended programs stay as zombies. Start the container with an init (docker run --init).\n`,
    );
    return;
  }
  process.execve?.(SHELL, [SHELL, "-c", INIT, "cmdop-init", execPath, ...execArgv, ...argv.slice(1)]);
}
