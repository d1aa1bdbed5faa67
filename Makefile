# SPDX-License-Identifier: MIT
#
# The front door. Meson builds (meson.build); scripts/deps installs what is missing, and
# scripts/check is the one list of what is tested.

ARGS :=
SUITES :=

.PHONY: all doorbell check pre-push format install clean

all:
	@scripts/deps build
	@test -f build/build.ninja || meson setup build
	@meson compile -C build

# What a ring costs on this host, path by path. ARGS are for bellwire bench: ARGS="--rounds 3".
doorbell: all
	build/bellwire bench --svg build/doorbell.svg $(ARGS)

# SUITES picks some of scripts/check: SUITES="gcc asan".
check pre-push:
	@scripts/deps check
	@scripts/check $(SUITES)

format:
	@scripts/format -i

install: all
	@meson install -C build --no-rebuild

clean:
	rm -rf build build-*/
