import { writeFile } from "node:fs/promises";
import path from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { useDoors } from "./support/doors.ts";
import { terminalRecordings } from "./support/terminal-recording.ts";

const doors = useDoors();

/** Comes when the recorded bytes have been shown: a title, which changes nothing on the screen. */
const SHOWN = "all has been shown";

let file: string;
beforeAll(() => {
  file = path.join(doors.cluster().directory, "recorded-bytes");
});

/** What a session of this size shows that is given these bytes and no others. */
async function screenAfter(bytes: string, cols: number, rows: number) {
  await writeFile(file, `${bytes}\x1b]2;${SHOWN}\x07`);
  // Neither the terminal's echo of what its emulator might answer nor its line discipline adds anything.
  const shell = ["/bin/sh", "-c", `stty raw -echo; cat ${file}; exec sleep 600`];
  await using session = await doors.client("relay").terminal.create({ shell, cols, rows });
  for (;;) {
    const screen = await session.screen();
    if (screen.title === SHOWN) return screen;
  }
}

describe.each(terminalRecordings())(
  "$program in $cols x $rows: screen() is what tmux shows",
  ({ cols, rows, moments }) => {
    it.each(moments.map((moment, index) => ({ ...moment, index })))(
      "$name",
      async ({ index, lines, cursor, alternate }) => {
        const bytes = moments.slice(0, index + 1).map((moment) => moment.bytes);
        const screen = await screenAfter(bytes.join(""), cols, rows);
        expect(screen.lines).toEqual(lines);
        expect(screen.text).toBe(lines.join("\n").trimEnd());
        expect(screen).toMatchObject({ cols, rows, cursor, alternate });
      },
    );
  },
);
