# pgseal: build, install, test.
#
# `make` and `make install` need libsodium-dev and postgresql-server-dev-15,
# run no tests and use no network.
#
#	make test [DATA=DIR]	every suite, on private clusters below build/; installs
#							the packages of test/packages that are missing.
#							SUITES="regress tap" runs some suites, TESTS="..." some
#							tests of one suite (see test/run_suites)
#	make test-long			the same, with the long forms of the suites
#	make test-unit			the crypto room alone, no server
#	make test-mutants		does a test see each of the breaks in test/mutants; takes
#							ten minutes; MUTANTS="name name" tries some
#	make lint				the checks that need no server
#	make installcheck		regress, isolation and TAP tests for an installed pgseal.
#							The server that PGHOST and PGPORT name must have
#							shared_preload_libraries = 'pgseal' and a root key file
#							(seal.root_key_file); run it as an ordinary user
#	make demo [DATA=DIR]	make clean-demo		make bench
#	make reference			doc/reference.md, from the comments of a live server
#	make clients-report		doc/clients.md, from the log of a run of all clients

ROOMS = base crypto keys audit gate types plan rows guard

EXTENSION = pgseal
EXTVERSION := $(shell sed -n "s/^default_version *= *'\(.*\)'/\1/p" pgseal.control)

MODULE_big = pgseal
OBJS := $(patsubst %.c,%.o,src/pgseal.c $(foreach room,$(ROOMS),$(sort $(wildcard src/$(room)/*.c))))
ROOM_HEADERS := $(wildcard src/*/*.h)
SYMBOLS = src/pgseal.map

SQL_PARTS := src/pgseal.sql $(foreach room,$(ROOMS),$(wildcard src/$(room)/$(room).sql))
INSTALL_SCRIPT_SQL = pgseal--$(EXTVERSION).sql
DATA_built = $(INSTALL_SCRIPT_SQL)

PG_CPPFLAGS = -I$(srcdir)/src
# Unused parameters are the rule in PostgreSQL: hooks, callbacks, fmgr functions
# and inline functions of its own headers have them.
PG_CFLAGS = -Wall -Wextra -Wno-unused-parameter
SHLIB_LINK = -lsodium -Wl,--version-script=$(SYMBOLS)

# No LLVM bitcode: the JIT would inline our functions from it and then look up
# by name what they call, which pgseal.map hides; such a lookup ends the session.
override with_llvm = no

REGRESS_FILES := $(sort $(patsubst sql/%.sql,%,$(wildcard sql/*.sql)))
REGRESS := $(filter setup,$(REGRESS_FILES)) $(filter-out setup,$(REGRESS_FILES))
REGRESS_OPTS += --encoding=UTF8
ISOLATION := $(sort $(patsubst test/isolation/specs/%.spec,%,$(wildcard test/isolation/specs/*.spec)))
ISOLATION_OPTS = --inputdir=test/isolation --load-extension=pgseal
TAP_TESTS = 1
PROVE_TESTS = test/tap/*.pl

# Not build/demo: a server may be running there; `make clean-demo` stops it.
EXTRA_CLEAN = build/log build/run.* build/transcript.*

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)

# `make test` installs the server's headers, so it must start without them.
ifneq ($(wildcard $(PGXS)),)

include $(PGXS)

PROVE_FLAGS += -I test/lib

$(INSTALL_SCRIPT_SQL): $(SQL_PARTS) pgseal.control
	cat $(SQL_PARTS) > $@

# PGXS does not track includes.
$(OBJS): $(ROOM_HEADERS)

$(shlib): $(SYMBOLS)

# What gcc lets pass, clang may not.  Compiles only.  The server's headers, set up
# for gcc, name a printf format that clang ignores.
check-clang:
	$(CLANG) -fsyntax-only -Werror -Wno-ignored-attributes $(BITCODE_CFLAGS) $(PG_CFLAGS) $(CPPFLAGS) $(OBJS:.o=.c)

else

all install installcheck:
	@echo "$(PG_CONFIG) --pgxs names no file: install postgresql-server-dev-15 and libsodium-dev" >&2
	@exit 1

clean:
	rm -rf $(EXTRA_CLEAN)

endif

test:
	@DATA='$(DATA)' TESTS='$(TESTS)' test/run $(SUITES)

test-long:
	@DATA='$(DATA)' TESTS='$(TESTS)' PGSEAL_LONG=1 test/run $(SUITES)

test-unit:
	@test/unit/run

test-mutants:
	@test/lib/in_private_copy test/mutants/run $(MUTANTS)

lint: all
	@test/lint/run

demo:
	@DATA='$(DATA)' demo/run

clean-demo:
	@demo/clean

bench:
	@bench/run

reference:
	@doc/make_reference

clients-report:
	@PGSEAL_LONG=1 test/run clients
	@doc/make_clients

.PHONY: all install installcheck clean check-clang test test-long test-unit test-mutants lint demo clean-demo bench reference clients-report
