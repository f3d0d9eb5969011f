#!/usr/bin/env bash
# Puts the `tenantry` binary on the PATH of the job's later steps.
#
# It fails closed: what is not in checksums.txt is not downloaded, and what does not
# match its row is neither unpacked nor run. It decides nothing else.
#
# In (environment only, so that no input is ever part of a command line):
#   TENANTRY_VERSION        release to install, without the leading `v`
#   TENANTRY_INPUT_BINARY   path of a local binary: nothing is downloaded (action input)
#   TENANTRY_BINARY         the same, set on the runner (self-hosted runners, tests)
#   TENANTRY_DOWNLOAD_BASE  a mirror of the release downloads (optional)
#   RUNNER_TEMP             where to install; emptied by GitHub's runner before each job
# Out: one line in GITHUB_PATH.
set -euo pipefail
export LC_ALL=C

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
table="$here/checksums.txt"

# `::error::` makes the line an annotation of the run; `%`, CR and LF would end it early.
fail() {
  local message=$*
  message=${message//'%'/'%25'}
  message=${message//$'\r'/'%0D'}
  message=${message//$'\n'/'%0A'}
  printf '::error title=tenantry could not be installed::%s\n' "$message" >&2
  exit 1
}

need() {
  command -v -- "$1" >/dev/null 2>&1 ||
    fail "\`$1\` is not on the PATH of this runner; install it, or give the input \`binary\`"
}

# Later steps find the binary through GITHUB_PATH; outside Actions the folder is printed.
publish() {
  case $1 in
    *$'\n'* | *$'\r'*) fail "the install folder must not contain a line break" ;;
  esac
  if [ -n "${GITHUB_PATH:-}" ]; then
    printf '%s\n' "$1" >>"$GITHUB_PATH"
  fi
  printf 'tenantry: %s/tenantry\n' "$1" >&2
}

root=${RUNNER_TEMP:-${TMPDIR:-/tmp}}/tenantry
mkdir -p -- "$root"

local_binary=${TENANTRY_INPUT_BINARY:-${TENANTRY_BINARY:-}}
if [ -n "$local_binary" ]; then
  case $local_binary in
    /*) ;;
    *) local_binary=${GITHUB_WORKSPACE:-$PWD}/$local_binary ;;
  esac
  if [ ! -f "$local_binary" ] || [ ! -x "$local_binary" ]; then
    fail "the given binary is not an executable file: \`$local_binary\`"
  fi
  mkdir -p -- "$root/local"
  # A link with a name of our own: the file itself may be called anything. It is moved
  # into place, so that jobs sharing one temporary folder never see it missing.
  link=$(mktemp -d -- "$root/local/link.XXXXXXXX")
  ln -s -- "$local_binary" "$link/tenantry"
  mv -fT -- "$link/tenantry" "$root/local/tenantry"
  rmdir -- "$link"
  publish "$root/local"
  exit 0
fi

version=${TENANTRY_VERSION:-}
version=${version#v}
if [[ ! $version =~ ^[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.]+)?$ ]]; then
  fail "\`version\` must look like 1.2.3: \`$version\`"
fi

system=$(uname -s)
machine=$(uname -m)
case $system/$machine in
  Linux/x86_64 | Linux/amd64) target=x86_64-unknown-linux-musl ;;
  Linux/aarch64 | Linux/arm64) target=aarch64-unknown-linux-musl ;;
  *) fail "there is no release for this runner (\`$system $machine\`); use a Linux runner on x86_64 or aarch64, or build tenantry yourself and give the input \`binary\`" ;;
esac

checksum=
rows=0
while read -r row_version row_target row_checksum rest || [ -n "${row_version:-}" ]; do
  case $row_version in '' | '#'*) continue ;; esac
  if [ "$row_version" = "$version" ] && [ "$row_target" = "$target" ]; then
    checksum=$row_checksum
    [ -z "$rest" ] || fail "checksums.txt: the row of $version $target has more than three words"
    rows=$((rows + 1))
  fi
done <"$table"
if [ "$rows" -eq 0 ]; then
  fail "this commit of the actions does not know tenantry \`$version\` for \`$target\`; pin the actions to a commit whose install/checksums.txt lists it, or choose a \`version\` that is listed"
fi
if [ "$rows" -gt 1 ]; then
  fail "checksums.txt: $version $target is listed more than once"
fi
if [[ ! $checksum =~ ^[0-9a-f]{64}$ ]]; then
  fail "checksums.txt: not a SHA-256 checksum for $version $target: \`$checksum\`"
fi

need curl
need sha256sum
need tar
need xz

name=tenantry-$target
# Version, target and checksum are all part of the path: two steps of one job that ask
# for different releases cannot get each other's.
folder=$root/$version-$target-$checksum
archive=$folder/$name.tar.xz
mkdir -p -- "$folder"

matches() {
  local actual
  actual=$(sha256sum <"$1")
  [ "${actual%% *}" = "$checksum" ]
}

# What an earlier step downloaded is used again, but only after it is verified again.
if [ ! -f "$archive" ] || ! matches "$archive"; then
  base=${TENANTRY_DOWNLOAD_BASE:-https://github.com/tenantry/tenantry/releases/download}
  url=${base%/}/v$version/$name.tar.xz
  part=$(mktemp -- "$folder/download.XXXXXXXX")
  curl --proto '=https,file' --proto-redir '=https' --tlsv1.2 --fail --silent --show-error \
    --location --retry 3 --retry-delay 2 --connect-timeout 20 --max-time 300 \
    --output "$part" -- "$url" ||
    fail "the download failed: $url (does the runner reach it, and does the release exist?)"
  if ! matches "$part"; then
    rm -f -- "$part"
    fail "the checksum of $url is not the one in install/checksums.txt; nothing was unpacked. If a release was replaced, do not use it and report it"
  fi
  mv -f -- "$part" "$archive"
fi

# One named member only: nothing else in the archive can reach the disk.
unpacked=$(mktemp -d -- "$folder/unpack.XXXXXXXX")
tar --extract --xz --no-same-owner --file "$archive" --directory "$unpacked" \
  --strip-components=1 -- "$name/tenantry" ||
  fail "the archive of $version $target holds no \`$name/tenantry\`"
if [ -L "$unpacked/tenantry" ] || [ ! -f "$unpacked/tenantry" ]; then
  fail "the archive of $version $target holds no plain file \`$name/tenantry\`"
fi
chmod 0755 -- "$unpacked/tenantry"
mkdir -p -- "$folder/bin"
mv -f -- "$unpacked/tenantry" "$folder/bin/tenantry"
rmdir -- "$unpacked"
publish "$folder/bin"
