#!/bin/sh
# Run once, by whoever has unpacked an archive of cmdop: lets its Node find the program loader in lib/,
# wherever the directory is now. The path is written into the room that the archive keeps for it.
set -eu
here=$(cd "$(dirname "$0")" && pwd -P)
read -r offset size loader < "$here/lib/interpreter"
# As an argument: where the directory is going to be.
path="${1:-$here}/lib/$loader"
if [ "${#path}" -ge "$size" ]; then
  echo "error: the path ${1:-$here} is too long for cmdop; choose a shorter one" >&2
  exit 1
fi
{ printf '%s' "$path"; head -c "$size" /dev/zero; } | head -c "$size" > "$here/lib/.path"
dd if="$here/lib/.path" of="$here/bin/node" bs=1 seek="$offset" conv=notrunc 2>/dev/null
rm "$here/lib/.path"
