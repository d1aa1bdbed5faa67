# SPDX-License-Identifier: MIT
#
# The front door. Meson builds (meson.build); scripts/deps installs what is missing, and
# scripts/check is the one list of what is tested.

ARGS :=
SUITES :=
KERNEL :=
JOBS :=

.PHONY: all doorbell check pre-push check-nested nightly format install clean

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

# KVM on a processor that QEMU emulates: on any machine (docs/nested.md). KERNEL is the package of
# another kernel than Debian's newest: KERNEL=linux-image-....deb.
check-nested:
	@scripts/deps nested
	@scripts/nested $(KERNEL)

# What takes too long for every change. JOBS picks some of scripts/nightly: JOBS="fuzz nested".
nightly: all
	@scripts/deps check
	@scripts/deps nested
	@scripts/deps package
	@scripts/deps browser
	@scripts/deps cross
	@scripts/nightly $(JOBS)

format:
	@scripts/format -i

install: all
	@meson install -C build --no-rebuild

clean:
	rm -rf build build-*/
