# modelwatch. `make help` lists the targets and the variables.
#
# Two kinds of object, because a folder is a trust boundary: guest objects run in the watched process
# (preload/, pyext/ and the core they link), host objects are the program's (tools/ and its core).
# The unit tests and the fuzzers have host objects of their own: with sanitizers, and what a fuzzer
# is led by.

VERSION := 0.1.0
PREFIX ?= /usr/local
SYSCONFDIR ?= /etc
CC ?= cc
CLANG ?= clang
PKG_CONFIG ?= pkg-config
FUZZ_SECONDS ?= 60
SOAK_SECONDS ?= 600

O ?= build
# One name for a directory, however it is given: what the objects depend on is kept by name.
override O := $(patsubst $(CURDIR)/%,%,$(abspath $(O)))
Q := $(if $(filter 1,$(V)),,@)
say = $(if $(filter 1,$(V)),,@printf '  %-5s %s\n' '$(1)' '$(patsubst $(O)/%,%,$@)')

# The interpreter that runs the tests; tests/setup.sh makes .venv unless PYTHON names another.
TEST_PYTHON = $(if $(PYTHON),$(PYTHON),.venv/bin/python)

# Feature checks. A library that is missing is named when something is compiled, not when the
# Makefile is read: the targets that install what is missing must work without it.
first_of = $(firstword $(foreach p,$(1),$(shell $(PKG_CONFIG) --exists $(p) 2>/dev/null && echo $(p))))
MSGPACK := $(call first_of,msgpack-c msgpack)
HOST_LIBRARIES := libunwind-generic libunwind jansson libcrypto yaml-0.1 zlib liblzma libseccomp \
	libbpf libelf libnghttp2 libprotobuf-c sqlite3
# What talks to the network is of the courier alone.
COURIER_LIBRARIES := libssl libcurl libsystemd
MISSING := $(strip $(foreach p,$(HOST_LIBRARIES) $(COURIER_LIBRARIES),$(if $(call first_of,$(p)),,$(p))) \
	$(if $(MSGPACK),,msgpack-c) $(if $(shell command -v protoc-c),,protoc-c))
ifeq ($(MISSING),)
LIBRARY_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(MSGPACK) $(HOST_LIBRARIES) $(COURIER_LIBRARIES))
GUEST_LIBRARY_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(MSGPACK))
HOST_LIBS := $(shell $(PKG_CONFIG) --libs $(HOST_LIBRARIES) $(MSGPACK)) -lbz2 -pthread
COURIER_LIBS := $(shell $(PKG_CONFIG) --libs $(COURIER_LIBRARIES))
# Optional: `type: kafka`.
KAFKA := $(call first_of,rdkafka)
ifneq ($(KAFKA),)
LIBRARY_CFLAGS += $(shell $(PKG_CONFIG) --cflags $(KAFKA)) -DMW_WITH_KAFKA
COURIER_LIBS += $(shell $(PKG_CONFIG) --libs $(KAFKA))
endif
endif
UNIT_LIBS = $(shell $(PKG_CONFIG) --libs cmocka)

# The headers of any CPython from 3.9 do: the extension keeps to the limited API of 3.9.
PYTHON_INCLUDE = $(firstword $(foreach d,$(shell $(if $(PYTHON),$(PYTHON),python3) -c \
	'import sysconfig; print(sysconfig.get_path("include"))' 2>/dev/null) \
	$(wildcard /usr/include/python3*),$(if $(wildcard $(d)/Python.h),$(d))))

CPPFLAGS_ALL = -D_GNU_SOURCE -DMW_VERSION='"$(VERSION)"' -DMW_SYSCONFDIR='"$(SYSCONFDIR)"' -MMD -MP $(CPPFLAGS)
WARNINGS := -Wall -Wextra -Werror -Wshadow -Wmissing-prototypes -Wformat=2
CFLAGS ?= -O2 -g
BASE_CFLAGS := -std=c11 $(WARNINGS) -fstack-protector-strong -fvisibility=hidden
FORTIFY := -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
HARDEN_LD := -Wl,-z,relro,-z,now,-z,noexecstack,--as-needed
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer

GUEST_CFLAGS = $(BASE_CFLAGS) $(FORTIFY) -fPIC -ftls-model=initial-exec $(GUEST_LIBRARY_CFLAGS)
GUEST_LDFLAGS := $(HARDEN_LD) -Wl,--gc-sections,--exclude-libs,ALL
HOST_CFLAGS = $(BASE_CFLAGS) -fPIE $(FORTIFY) $(LIBRARY_CFLAGS)
HOST_LDFLAGS := $(HARDEN_LD) -pie
CHECKED_CFLAGS = $(BASE_CFLAGS) $(SANITIZE) -fsanitize=fuzzer-no-link $(LIBRARY_CFLAGS)

objects = $(patsubst %,$(O)/$(1)/%.o,$(basename $(2)))
CORE := $(wildcard core/*.c)
SHIM := $(wildcard preload/*.c)
EXTENSION := $(wildcard pyext/*.c)
TOOLS := $(wildcard tools/*.c tools/*.S)
COURIER := $(filter-out courier/main.c $(if $(KAFKA),,courier/%kafka.c courier/kafka_%),$(wildcard courier/*.c))
TOOLS_REST := $(filter-out tools/main.c,$(TOOLS))
UNITS := $(patsubst tests/unit/%.c,$(O)/tests/%,$(wildcard tests/unit/test_*.c))
FUZZERS := $(patsubst tests/fuzz/%.c,$(O)/fuzzers/%,$(wildcard tests/fuzz/fuzz_*.c))
MAN := $(wildcard docs/man/*.1)
MAN5 := $(wildcard docs/man/*.5)
MAN8 := $(wildcard docs/man/*.8)

GUEST_FILES := $(O)/libmodelwatch.so $(O)/_modelwatch.abi3.so
BESIDE := $(GUEST_FILES) $(O)/modelwatch.py
LIBEXEC := $(O)/modelwatch-courier
# Optional: slurmstepd loads it, so it is built for the Slurm whose headers are here.
SPANK := $(if $(wildcard /usr/include/slurm/spank.h),$(O)/spank_modelwatch.so)

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all help libraries unit-programs fuzz-programs bench-programs kernel-programs sink-programs unit fuzz check check-symbols setup demo \
	deb rpm soak-daemon soak-sinks bench bench-daemon bench-kernels bench-sinks check-kernels instructions lint format install uninstall clean

all: $(O)/modelwatch $(LIBEXEC) $(BESIDE) $(SPANK) ## build everything into O (the default)

help: ## this text
	@echo 'Targets:'
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | \
		while IFS='	' read -r t h; do printf '  %-14s %s\n' "$$t" "$$h"; done
	@echo 'Variables:'
	@echo '  O=DIR          where to build (build)'
	@echo '  V=1            show the commands'
	@echo '  CC=            C compiler: gcc or clang (cc)'
	@echo '  CFLAGS=        optimisation and debugging (-O2 -g)'
	@echo '  PYTHON=        your own interpreter for headers, tests and demo, with its packages'
	@echo '                 (default: .venv, made when needed)'
	@echo '  PREFIX=, DESTDIR=  where to install (/usr/local, none)'
	@echo '  UNITDIR=       where systemd looks for units (PREFIX/lib/systemd/system)'
	@echo '  SYSCONFDIR=    where the site'"'"'s policy lies (/etc)'
	@echo '  FUZZ_SECONDS=  time for each fuzzer in `make fuzz` (60)'
	@echo '  SOAK_SECONDS=  time for `make soak-daemon` (600)'

libraries:
	@$(if $(MISSING),echo 'missing: $(MISSING) (tests/setup.sh build installs them)' >&2; exit 1,:)

# One archive of every object but main, so that a test links only what it uses.
$(O)/guest/core.a: $(call objects,guest,$(CORE))
$(O)/host/core.a: $(call objects,host,$(CORE))
$(O)/host/tools.a: $(call objects,host,$(TOOLS_REST)) $(O)/host/cri.pb-c.o
$(O)/host/courier.a: $(call objects,host,$(COURIER))
$(O)/checked/core.a: $(call objects,checked,$(CORE))
$(O)/checked/tools.a: $(call objects,checked,$(TOOLS_REST)) $(O)/checked/cri.pb-c.o
$(O)/checked/courier.a: $(call objects,checked,$(COURIER))
$(O)/%.a:
	$(call say,AR)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

# The objects depend on the Makefile, which holds their flags.
$(O)/guest/%.o: %.c Makefile | libraries
	$(call say,CC)
	$(Q)mkdir -p $(@D) && $(CC) $(CPPFLAGS_ALL) $(GUEST_CFLAGS) $(CFLAGS) -c -o $@ $<

$(O)/guest/pyext/%.o: CPPFLAGS_ALL += -DPy_LIMITED_API=0x03090000 -isystem $(PYTHON_INCLUDE)

$(O)/host/%.o: %.c Makefile | libraries
	$(call say,CC)
	$(Q)mkdir -p $(@D) && $(CC) $(CPPFLAGS_ALL) $(HOST_CFLAGS) $(CFLAGS) -c -o $@ $<

$(O)/checked/%.o: %.c Makefile | libraries
	$(call say,CLANG)
	$(Q)mkdir -p $(@D) && $(CLANG) $(CPPFLAGS_ALL) $(CHECKED_CFLAGS) $(CFLAGS) -c -o $@ $<

# Assembly holds data only: the files built into the program.
$(O)/host/%.o $(O)/checked/%.o: %.S Makefile
	$(call say,AS)
	$(Q)mkdir -p $(@D) && $(CC) -I. $(CPPFLAGS_ALL) -c -o $@ $<

# The programs for the kernel, and the header that holds them and loads them. CO-RE: they are built
# once and fit any kernel that has its types with it.
BPFTOOL ?= $(firstword $(shell command -v bpftool) /usr/sbin/bpftool)
BPF_CFLAGS = -g -O2 -mcpu=v3 -target bpf -D__TARGET_ARCH_x86 -Wall -Wextra -Werror \
	-Wno-unused-parameter \
	-I/usr/include/$(shell $(CC) -print-multiarch)

$(O)/ebpf/%.bpf.o: ebpf/%.bpf.c Makefile
	$(call say,CLANG)
	$(Q)mkdir -p $(@D) && $(CLANG) $(BPF_CFLAGS) -MMD -MP -c -o $@ $<

# That libbpf frees what the skeleton allocates, clang-tidy cannot see.
$(O)/ebpf/%.skel.h: $(O)/ebpf/%.bpf.o
	$(call say,SKEL)
	$(Q)echo '/* NOLINTBEGIN(clang-analyzer-unix.Malloc) */' >$@
	$(Q)$(BPFTOOL) gen skeleton $< name mw_bpf >>$@
	$(Q)echo '/* NOLINTEND(clang-analyzer-unix.Malloc) */' >>$@

WITH_PROGRAMS := $(foreach k,host checked,$(patsubst %.c,$(O)/$(k)/%.o,$(wildcard tools/daemon_programs*.c)))
$(WITH_PROGRAMS): $(O)/ebpf/modelwatch.skel.h
$(WITH_PROGRAMS): CPPFLAGS_ALL += -I$(O)/ebpf -DMW_PROGRAMS_LAYOUT='"$(LAYOUT)"'
# What the maps look like: a daemon goes on with those of another one only if that is the same.
LAYOUT := $(shell cat core/words.h ebpf/config.h ebpf/event.h ebpf/pyoffsets.h ebpf/state.h | sha256sum | cut -c1-12)

# The messages of container runtimes, and who knows them.
$(O)/messages/%.pb-c.c $(O)/messages/%.pb-c.h: tools/%.proto
	$(call say,PROTO)
	$(Q)mkdir -p $(@D) && protoc-c --proto_path=tools --c_out=$(@D) $<

$(O)/host/%.pb-c.o: $(O)/messages/%.pb-c.c Makefile | libraries
	$(call say,CC)
	$(Q)mkdir -p $(@D) && $(CC) $(CPPFLAGS_ALL) $(HOST_CFLAGS) $(CFLAGS) -c -o $@ $<

$(O)/checked/%.pb-c.o: $(O)/messages/%.pb-c.c Makefile | libraries
	$(call say,CLANG)
	$(Q)mkdir -p $(@D) && $(CLANG) $(CPPFLAGS_ALL) $(CHECKED_CFLAGS) $(CFLAGS) -c -o $@ $<

WITH_MESSAGES := $(O)/host/tools/cri_message.o $(O)/checked/tools/cri_message.o
$(WITH_MESSAGES): $(O)/messages/cri.pb-c.h
$(WITH_MESSAGES): CPPFLAGS_ALL += -I$(O)/messages

$(O)/host/tools/default_policy.o $(O)/checked/tools/default_policy.o: core/default-policy.yaml
$(O)/host/tools/report_files.o $(O)/checked/tools/report_files.o: tools/report.html tools/report.css \
	tools/report.js
$(O)/host/tools/completion_files.o $(O)/checked/tools/completion_files.o: tools/completion.bash \
	tools/completion.fish

# Archives whose members need each other's.
HOST_ARCHIVES := $(O)/host/tools.a $(O)/host/courier.a $(O)/host/core.a
CHECKED_ARCHIVES := $(O)/checked/tools.a $(O)/checked/courier.a $(O)/checked/core.a
all_of = -Wl,--start-group $(1) -Wl,--end-group

$(O)/modelwatch: $(O)/host/tools/main.o $(HOST_ARCHIVES)
	$(call say,LINK)
	$(Q)$(CC) $(HOST_LDFLAGS) $(LDFLAGS) -o $@ $(call all_of,$^) $(HOST_LIBS)

$(O)/modelwatch-courier: $(O)/host/courier/main.o $(HOST_ARCHIVES)
	$(call say,LINK)
	$(Q)$(CC) $(HOST_LDFLAGS) $(LDFLAGS) -o $@ $(call all_of,$^) $(HOST_LIBS) $(COURIER_LIBS)

$(O)/libmodelwatch.so: $(call objects,guest,$(SHIM)) $(O)/guest/core.a
	$(call say,LINK)
	$(Q)$(CC) -shared $(GUEST_LDFLAGS) -Wl,--no-undefined,-z,initfirst,-soname,$(@F) $(LDFLAGS) -o $@ $^

# The interpreter provides the Py symbols: no libpython, which would tie it to one version.
$(O)/_modelwatch.abi3.so: $(call objects,guest,$(EXTENSION)) $(O)/guest/core.a
	$(call say,LINK)
	$(Q)$(CC) -shared $(GUEST_LDFLAGS) $(LDFLAGS) -o $@ $^

# slurmstepd has the symbols of Slurm, and finds these by name.
$(O)/spank_modelwatch.so: slurm/spank_modelwatch.c Makefile | libraries
	$(call say,LINK)
	$(Q)mkdir -p $(@D) && $(CC) $(CPPFLAGS_ALL) $(BASE_CFLAGS) $(FORTIFY) -fPIC -fvisibility=default $(CFLAGS) \
		-shared $(HARDEN_LD) $(LDFLAGS) -o $@ $< $(shell $(PKG_CONFIG) --cflags --libs jansson)

$(O)/modelwatch.py: pyext/modelwatch.py
	$(call say,COPY)
	$(Q)mkdir -p $(@D) && cp $< $@

$(O)/tests/%: $(O)/checked/tests/unit/%.o $(CHECKED_ARCHIVES)
	$(call say,LINK)
	$(Q)mkdir -p $(@D) && $(CLANG) $(SANITIZE) -fsanitize=fuzzer-no-link $(LDFLAGS) -o $@ $(call all_of,$^) $(UNIT_LIBS) \
		$(HOST_LIBS) $(COURIER_LIBS)

$(O)/fuzzers/%: $(O)/checked/tests/fuzz/%.o $(CHECKED_ARCHIVES)
	$(call say,LINK)
	$(Q)mkdir -p $(@D) && $(CLANG) $(SANITIZE) -fsanitize=fuzzer $(LDFLAGS) -o $@ $(call all_of,$^) $(HOST_LIBS) $(COURIER_LIBS)

$(O)/bench/%: $(O)/host/tests/bench/%.o $(HOST_ARCHIVES)
	$(call say,LINK)
	$(Q)mkdir -p $(@D) && $(CC) $(HOST_LDFLAGS) $(LDFLAGS) -o $@ $(call all_of,$^) $(HOST_LIBS) $(COURIER_LIBS)

$(O)/sinks/%: $(O)/host/tests/sinks/%.o $(HOST_ARCHIVES)
	$(call say,LINK)
	$(Q)mkdir -p $(@D) && $(CC) $(HOST_LDFLAGS) $(LDFLAGS) -o $@ $(call all_of,$^) $(HOST_LIBS) $(COURIER_LIBS)

$(O)/sinks/clock.so: $(O)/guest/tests/sinks/clock.o
	$(call say,LINK)
	$(Q)mkdir -p $(@D) && $(CC) -shared $(GUEST_LDFLAGS) $(LDFLAGS) -o $@ $^

# Programs that a machine without any library can run, and the same as libraries.
$(O)/kernels/%.so: tests/kernels/%.c Makefile
	$(call say,LINK)
	$(Q)mkdir -p $(@D) && $(CC) $(CPPFLAGS_ALL) $(BASE_CFLAGS) -fPIC $(CFLAGS) -shared $(LDFLAGS) -o $@ $<

$(O)/kernels/%: tests/kernels/%.c Makefile
	$(call say,LINK)
	$(Q)mkdir -p $(@D) && $(CC) $(CPPFLAGS_ALL) $(BASE_CFLAGS) $(CFLAGS) -static $(LDFLAGS) -o $@ $<

unit-programs: $(UNITS)

fuzz-programs: $(FUZZERS)

kernel-programs: $(foreach p,hooks loops,$(O)/kernels/$(p) $(O)/kernels/$(p).so)

sink-programs: $(O)/sinks/drive $(O)/sinks/clock.so $(if $(KAFKA),$(O)/sinks/kafka_mock)

bench-programs: $(patsubst %,$(O)/bench/%,calls decide arrivals fanotify spool format)

setup: ## install what the tests need: packages when root, .venv
	@PYTHON='$(PYTHON)' tests/setup.sh test

check: setup ## set up, then build and run every test; the last line sums up
	@CC='$(CC)' PYTHON='$(PYTHON)' $(TEST_PYTHON) tests/check.py --out=$(O) --python=$(TEST_PYTHON)

unit: setup ## the unit tests, with sanitizers
	@$(TEST_PYTHON) tests/check.py --out=$(O) unit

fuzz: setup ## every fuzzer for FUZZ_SECONDS; what they find stays in O/corpus
	@$(TEST_PYTHON) tests/check.py --out=$(O) --fuzz-seconds=$(FUZZ_SECONDS) fuzz

check-symbols: $(GUEST_FILES) ## what is loaded into other programs needs an old libc and no more
	@tests/check_symbols.sh $^

soak-daemon: setup ## work of all kinds for SOAK_SECONDS with the daemon on the machine, as root: no alert
	@$(MAKE) --no-print-directory all
	@MODELWATCH=$(abspath $(O))/modelwatch $(TEST_PYTHON) tests/daemon_soak.py --seconds=$(SOAK_SECONDS)

demo: setup ## an honest and a poisoned checkpoint under modelwatch
	@$(MAKE) --no-print-directory all
	@tests/demo/demo.sh $(O) $(TEST_PYTHON)

bench: ## measure what a watched job costs; writes docs/benchmarks.md
	@PYTHON='$(PYTHON)' tests/setup.sh bench
	@$(MAKE) --no-print-directory all bench-programs
	@$(TEST_PYTHON) tests/bench/bench.py --out=$(O)

soak-sinks: setup ## 10,000 alerts into every sink while all is killed again and again; writes docs/benchmarks.md
	@$(MAKE) --no-print-directory all sink-programs
	@MODELWATCH=$(abspath $(O))/modelwatch $(TEST_PYTHON) tests/sinks_end_to_end.py

bench-daemon: ## measure what the daemon costs, as root; writes docs/benchmarks.md
	@PYTHON='$(PYTHON)' tests/setup.sh bench
	@$(MAKE) --no-print-directory all bench-programs
	@MODELWATCH='$(abspath $(O))/modelwatch' $(TEST_PYTHON) tests/bench/daemon.py

bench-sinks: ## measure what keeping and sending alerts takes; writes docs/benchmarks.md
	@PYTHON='$(PYTHON)' tests/setup.sh test
	@$(MAKE) --no-print-directory all bench-programs sink-programs
	@MODELWATCH='$(abspath $(O))/modelwatch' $(TEST_PYTHON) tests/bench/sinks.py

bench-kernels: setup ## measure what refusing costs on other kernels, in emulated machines; writes docs/benchmarks.md
	@$(MAKE) --no-print-directory all kernel-programs
	@MODELWATCH='$(abspath $(O))/modelwatch' $(TEST_PYTHON) tests/bench/kernels.py

instructions: setup ## measure the kernel's programs here and on other kernels, as root; writes tests/kernels/instructions.txt
	@$(MAKE) --no-print-directory all kernel-programs
	@MODELWATCH='$(abspath $(O))/modelwatch' $(TEST_PYTHON) tests/kernels/instructions.py

check-kernels: setup ## the daemon on other kernels, in emulated machines
	@$(MAKE) --no-print-directory all kernel-programs
	@MODELWATCH='$(abspath $(O))/modelwatch' $(TEST_PYTHON) -m pytest -q -rs -s tests/test_daemon_kernels.py

FORMATTED := $(wildcard core/*.[ch] courier/*.[ch] ebpf/*.[ch] preload/*.[ch] pyext/*.[ch] slurm/*.[ch] tools/*.[ch] tests/*/*.[ch])

lint: ## clang-tidy, cppcheck, format and manual pages
	@PYTHON='$(PYTHON)' tests/setup.sh lint
	@$(MAKE) --no-print-directory libraries $(O)/ebpf/modelwatch.skel.h $(O)/messages/cri.pb-c.h
	@CFLAGS="-std=c11 $(subst ",\",$(filter-out -MMD -MP,$(CPPFLAGS_ALL))) $(LIBRARY_CFLAGS) \
		-DPy_LIMITED_API=0x03090000 -DMW_PROGRAMS_LAYOUT='\"\"' -isystem $(PYTHON_INCLUDE) -isystem $(O)/ebpf \
		-isystem $(O)/messages" \
		tests/lint.sh $(FORMATTED) $(MAN) $(MAN5) $(MAN8)

format: ## rewrite the C files in the project's format
	$(Q)clang-format -i $(FORMATTED)

deb: ## the Debian package, in O/deb
	@packaging/deb.sh $(O) $(O)/deb

rpm: ## the RPM package, in O/rpm
	@packaging/rpm.sh $(O) $(O)/rpm

BIN := $(DESTDIR)$(PREFIX)/bin
LIB := $(DESTDIR)$(PREFIX)/lib/modelwatch
SHARE := $(DESTDIR)$(PREFIX)/share
MANDIR := $(SHARE)/man/man1
MAN5DIR := $(SHARE)/man/man5
MAN8DIR := $(SHARE)/man/man8
UNITDIR ?= $(PREFIX)/lib/systemd/system
UNIT := $(DESTDIR)$(UNITDIR)/modelwatch.service
# Each where its shell looks for it.
BASH_COMPLETION := $(SHARE)/bash-completion/completions/modelwatch
ZSH_COMPLETION := $(SHARE)/zsh/site-functions/_modelwatch
FISH_COMPLETION := $(SHARE)/fish/vendor_completions.d/modelwatch.fish
COMPLETIONS := $(BASH_COMPLETION) $(ZSH_COMPLETION) $(FISH_COMPLETION)

install: all ## into DESTDIR/PREFIX: bin, lib/modelwatch, share
	$(Q)install -d $(BIN) $(LIB) $(MANDIR) $(MAN5DIR) $(MAN8DIR) $(dir $(UNIT)) $(dir $(COMPLETIONS))
	$(Q)install -m 755 $(O)/modelwatch $(BIN)/
	$(Q)install -m 755 $(LIBEXEC) $(LIB)/
	$(Q)install -m 644 $(BESIDE) $(SPANK) core/default-policy.yaml $(LIB)/
	$(Q)install -m 644 $(MAN) $(MANDIR)/
	$(Q)install -m 644 $(MAN5) $(MAN5DIR)/
	$(Q)install -m 644 $(MAN8) $(MAN8DIR)/
	$(Q)sed 's|@BIN@|$(PREFIX)/bin|' tools/modelwatch.service >$(UNIT)
	$(Q)chmod 644 $(UNIT)
	$(Q)$(O)/modelwatch completion bash >$(BASH_COMPLETION)
	$(Q)$(O)/modelwatch completion zsh >$(ZSH_COMPLETION)
	$(Q)$(O)/modelwatch completion fish >$(FISH_COMPLETION)
	$(Q)chmod 644 $(COMPLETIONS)

uninstall: ## remove what install put there
	$(Q)rm -f $(BIN)/modelwatch $(addprefix $(MANDIR)/,$(notdir $(MAN))) \
		$(addprefix $(MAN5DIR)/,$(notdir $(MAN5))) \
		$(addprefix $(MAN8DIR)/,$(notdir $(MAN8))) $(UNIT) $(COMPLETIONS)
	$(Q)rm -rf $(LIB)

clean: ## remove build; .venv stays
	$(Q)rm -rf build

-include $(shell find $(O) -name '*.d' 2>/dev/null)
