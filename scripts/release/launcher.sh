#!/bin/sh
# cmdop, from wherever it was unpacked.
here=$(readlink -f "$0")
here=${here%/*}
exec "$here/node" "$here/../program/main.js" "$@"
