#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# usage: tests/install_test.sh BUILD COMPILER...
#
# Installs the build into a directory of its own, and uses what is there and nothing else, as those
# who have the package do. TAP.
set -u
# shellcheck source=tests/tap.sh
. "$(dirname "$0")/tap.sh"
build=$(realpath "$1")
shift
compiler=("$@")
source=$(realpath "$(dirname "$0")/..")
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

why() {
	cat "$root/log"
}

installed() {
	find "$root/tree" -path "*/$1" | grep -q .
}

# compiles LANGUAGE STANDARD OUTPUT PKG-CONFIG-OPTION...
compiles() {
	local language=$1 standard=$2 output=$3 flags
	shift 3
	flags=$(pkg-config --cflags --libs "$@" bellwire) || return
	# shellcheck disable=SC2086 # flags are words
	"${compiler[@]}" -x "$language" -std="$standard" -pedantic -Wall -Wextra -Werror -o "$output" \
		"$source/tests/installed/consumer.c" -x none $flags
}

DESTDIR=$root/tree meson install -C "$build" --no-rebuild --quiet >"$root/log" 2>&1
result "meson install"
libraries=$(dirname "$(find "$root/tree" -name libbellwire.so)")
export PKG_CONFIG_SYSROOT_DIR=$root/tree LD_LIBRARY_PATH=$libraries
export PKG_CONFIG_PATH=$libraries/pkgconfig${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}

readelf -d "$libraries/libbellwire.so" | grep -q 'SONAME.*\[libbellwire\.so\.0\]' &&
	[ -L "$libraries/libbellwire.so" ] && [ -e "$libraries/libbellwire.so.0" ]
result "the library has a soname, and a link of that name"

compiles c c99 "$root/c" && "$root/c"
result "a consumer in C99"
compiles c++ c++11 "$root/c++" && "$root/c++"
result "a consumer in C++11"

program=$(find "$root/tree" -path '*/bin/bellwire' -type f)
if [ -n "$program" ]; then
	(unset LD_LIBRARY_PATH && "$program" --version) | grep -q "^bellwire $(pkg-config --modversion bellwire)$"
	result "the program runs without the shared library, and is of its version"
	installed share/bash-completion/completions/bellwire
	result "bash completion"
else
	skip "the program" "not for this host"
fi

if command -v scdoc >/dev/null; then
	installed man1/bellwire.1 && installed man7/bellwire.7 && installed man3/bw_bus_new.3
	result "manual pages"
	(cd "$(find "$root/tree" -name man3)" && grep -h '^\.so ' -- *.3 | sed 's,^\.so man3/,,' | sort -u |
		xargs ls) >/dev/null
	result "every other name of a page leads to a page"
else
	skip "manual pages" "scdoc is not here"
fi

# As their first lines say: with the installed library, by one command.
for file in "$source"/examples/*.c; do
	name=$(basename "$file" .c)
	if [ -z "$program" ] && [[ $name =~ ^(vmm|ioctl-.*)$ ]]; then
		skip "example $name" "its guest is not for this host"
		continue
	fi
	# shellcheck disable=SC2046 # flags are words
	"${compiler[@]}" -Wall -Wextra -Werror -o "$root/$name" "$file" \
		$(pkg-config --cflags --libs bellwire) && timeout 60 "$root/$name" >"$root/log" 2>&1
	status=$?
	if [ $status = 77 ]; then
		skip "example $name" "$(tail -n 1 "$root/log")"
	else
		(exit $status)
		result "example $name"
	fi
done

rm "$libraries"/libbellwire.so*
compiles c c99 "$root/static" --static && "$root/static"
result "a consumer of the static library"

end
