#!/bin/sh
# Installs cmdop @VERSION@: fetches the archive of this platform, checks it by the hash below, unpacks it
# and puts `cmdop` on the path. With --join it reads a join token from standard input, joins and starts
# the agent: under systemd, under OpenRC, or as a process of its own. It needs a shell, tar, gzip,
# sha256sum, and curl or wget; as root it installs for the machine, else for its user.
set -eu
umask 022

version=@VERSION@
# Platform, file, SHA-256. Whoever has checked this script trusts what it names, wherever that comes from.
archives="@ARCHIVES@"

fail() {
  echo "error: $1" >&2
  [ $# -lt 2 ] || echo "next:  $2" >&2
  exit 1
}

join=no
from=
while [ $# -gt 0 ]; do
  case $1 in
    --join) join=yes ;;
    --help) echo "usage: sh install.sh [--join] WHERE    WHERE: the directory, or its URL, that has the archives"; exit 0 ;;
    -*) fail "$1 is not known." "Say sh install.sh --help." ;;
    *) from=${1%/} ;;
  esac
  shift
done
[ -n "$from" ] || fail "it is not said where the archives are." "Say sh install.sh WHERE: a directory, or a URL."

# In no argument, no environment and no file.
token=
if [ $join = yes ]; then token=$(cat); fi

case $(uname -s)-$(uname -m) in
  Linux-x86_64 | Linux-amd64) platform=linux-x64 ;;
  Linux-aarch64 | Linux-arm64) platform=linux-arm64 ;;
  *) fail "there is no archive for $(uname -s) on $(uname -m)." "Run cmdop from source there, with Node 24." ;;
esac
file= hash=
while read -r name candidate sha256; do
  if [ "$name" = "$platform" ]; then file=$candidate hash=$sha256; fi
done <<END
$archives
END
[ -n "$file" ] || fail "this release has no archive for $platform." "Ask who made it."

# Where programs go, and what the agent keeps.
uid=$(id -u)
if [ "$uid" = 0 ]; then
  prefix=${CMDOP_PREFIX:-/opt/cmdop} bin=/usr/local/bin home=${CMDOP_HOME:-${HOME:-/root}/.cmdop}
elif [ -n "${HOME:-}" ] && [ "$HOME" != / ] && [ -d "$HOME" ] && [ -w "$HOME" ]; then
  prefix=${CMDOP_PREFIX:-$HOME/.local/share/cmdop} bin=$HOME/.local/bin home=${CMDOP_HOME:-$HOME/.cmdop}
else
  # A user without a home, as in many containers: it gets one.
  HOME=${CMDOP_PREFIX:-/var/tmp/cmdop-$uid}
  export HOME
  prefix=$HOME bin=$HOME/bin home=${CMDOP_HOME:-$HOME/.cmdop}
fi
case $prefix$home in *[!a-zA-Z0-9/._@+-]*) fail "$prefix or $home has characters that this script can't handle." "Set CMDOP_PREFIX and CMDOP_HOME to plainer paths." ;; esac
mkdir -p "$prefix" || fail "$prefix can't be made." "Set CMDOP_PREFIX to a directory that you may write to."
if [ ! -O "$prefix" ]; then fail "$prefix is somebody else's." "Set CMDOP_PREFIX to a directory of your own."; fi
chmod go-w "$prefix"
mkdir -p "$prefix/versions"

# Fetches a file of the release into the working directory.
fetch() {
  case $from in
    *://*)
      if command -v curl > /dev/null; then curl -fsS -o "$work/$1" "$from/$1"
      elif command -v wget > /dev/null; then wget -q -O "$work/$1" "$from/$1"
      elif command -v bash > /dev/null; then
        # A bare Debian.
        at=${from#*://}
        host=${at%%/*}
        bash -c 'exec 3<>"/dev/tcp/$1/$2"; printf "GET /%s HTTP/1.0\r\n\r\n" "$3" >&3; LC_ALL=C sed "1,/^\r$/d" <&3 >"$4"' \
          sh "${host%:*}" "${host##*:}" "${at#*/}/$1" "$work/$1"
      else fail "there is neither curl nor wget nor bash." "Install one, or copy $1 here and say sh install.sh DIRECTORY."
      fi
      ;;
    *) cp "$from/$1" "$work/$1" ;;
  esac
}

name=$version-$(printf %.8s "$hash")
target=$prefix/versions/$name
# What `cmdop relay` serves: a machine that only joins has no use for it.
kept=$prefix/releases/$name
[ $join = no ] || kept=
if [ ! -d "$target" ] || { [ -n "$kept" ] && [ ! -d "$kept" ]; }; then
  work=$(mktemp -d "$prefix/versions/.new-XXXXXX") || fail "there is no place below $prefix." "Make room, or set CMDOP_PREFIX."
  trap 'rm -rf "$work"' EXIT
  trap 'exit 1' HUP INT TERM
  fetch "$file" || fail "$from/$file can't be fetched." "Look whether this machine reaches it, and whether the disk is full."
  got=$(sha256sum "$work/$file") || fail "the archive's hash can't be computed." "Install sha256sum (coreutils or busybox)."
  [ "${got%% *}" = "$hash" ] || fail "$file is not what was promised (SHA-256 ${got%% *}, not $hash): nothing is installed." "Find out who changed it."
fi
if [ ! -d "$target" ]; then
  gzip -dc "$work/$file" | tar -xf - -C "$work" || fail "$file can't be unpacked." "Look whether the disk is full: it needs 130 MB."
  sh "$work/${file%.tar.gz}/relocate.sh" "$target"
  # Synced before it has its name: a name that is there after a loss of power is of something whole.
  sync
  mv "$work/${file%.tar.gz}" "$target"
fi
if [ -n "$kept" ] && [ ! -d "$kept" ]; then
  if fetch manifest.jws; then
    mkdir -p "$work/release" "$prefix/releases"
    mv "$work/$file" "$work/manifest.jws" "$work/release"
    cp "$0" "$work/release/install.sh"
    mv "$work/release" "$kept"
  else echo "warning: $from has no manifest.jws: a relay of this machine will have no archive for machines that join" >&2
  fi
fi
"$target/bin/cmdop" version > /dev/null || fail "cmdop does not start here." "Run $target/bin/cmdop version."
ln -sfn "versions/$name" "$prefix/current"
mkdir -p "$bin"
ln -sfn "$prefix/current/bin/cmdop" "$bin/cmdop"
cmdop=$prefix/current/bin/cmdop
echo "cmdop $version is in $prefix" >&2
case :$PATH: in *:"$bin":*) ;; *) echo "To have it on your path: PATH=$bin:\$PATH" >&2 ;; esac
[ $join = yes ] || exit 0

export CMDOP_HOME="$home"
mkdir -p "$home"
chmod 700 "$home"

# The token's way is a pipe from a builtin: it is in nobody's list of processes.
if [ -d /run/systemd/system ] && { [ "$uid" = 0 ] || [ -d "${XDG_RUNTIME_DIR:-/none}/systemd" ]; }; then
  printf '%s\n' "$token" | "$cmdop" agent install --join -
  exit
fi

log=$home/agent.log
begin=0
[ ! -f "$log" ] || begin=$(wc -c < "$log")
(umask 077 && : >> "$log")
printf '%s\n' "$token" | {
  cd /
  if command -v setsid > /dev/null; then exec setsid "$cmdop" agent --join - >> "$log" 2>&1
  else trap '' HUP; exec "$cmdop" agent --join - >> "$log" 2>&1
  fi
} &
agent=$!

new_lines() { tail -c "+$((begin + 1))" "$log"; }
waited=0
until new_lines | grep -q '^machine .* is online$'; do
  kill -0 "$agent" 2> /dev/null || { new_lines >&2; fail "the agent has ended (above is what it said)." "Mend what it names; then run the line again."; }
  [ "$waited" -lt 60 ] || { new_lines >&2; fail "the relay has not answered in 60 s; the agent goes on trying." "Look at $log."; }
  sleep 1
  waited=$((waited + 1))
done

if [ "$uid" = 0 ] && command -v rc-service > /dev/null && [ -d /etc/init.d ]; then
  kill "$agent"
  wait "$agent" || :
  cat > /etc/init.d/cmdop-agent <<END
#!/sbin/openrc-run
# Written by cmdop's installer.
name="cmdop agent"
supervisor=supervise-daemon
command=$cmdop
command_args=agent
respawn_delay=2
output_log=$log
error_log=$log
export CMDOP_HOME=$home
depend() {
  use net
}
END
  chmod 755 /etc/init.d/cmdop-agent
  rc-update add cmdop-agent default
  rc-service cmdop-agent start
  exit
fi
new_lines | grep '^machine .* is online$'
echo "It runs as process $agent and writes to $log. There is neither systemd nor OpenRC here: have $cmdop agent started with the machine, with CMDOP_HOME=$home." >&2
