#!/bin/sh
# Makes the seeds of fuzz_python_sites, which tests/unit/test_python_refusals.c reads, too: small
# files with the tables, symbols and notes that interpreters and libtorch have.
set -eu
out=$(cd "$(dirname "$0")/seeds/python_sites" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

cat >tables.c <<'END'
struct method {
	const char *name;
	void *function;
	int flags;
	const char *doc;
};

const unsigned int Py_Version = 0x030b07f0;
char _PyRuntime[8] = {1};
volatile int n;

static __attribute__((noinline)) int body(int x)
{
	for (int i = 0; i < n; i++)
		n += x;
	return n;
}

static __attribute__((cold, noinline)) int rare(int x)
{
	n = x;
	return n + 1;
}

static int unpickler_load(int x)
{
	if (__builtin_expect(n > 9, 0))
		return rare(x);
	return body(x);
}

static int find_class(int x)
{
	n ^= x;
	return 0;
}

static int pickle_load(int x)
{
	return body(x + 1) + n;
}

static int pickle_loads(int x)
{
	return body(x + 2) + n;
}

static int other(int x)
{
	return n;
}

static int audit(int x)
{
	return body(x + 3) * 2;
}

struct method unpickler[] = {{"load", unpickler_load, 0x4, "load($self, /)"},
                             {"find_class", find_class, 0x282, "find_class("},
                             {0}};
struct method pickle[] = {{"dump", other, 0x82, "d"},
                          {"dumps", other, 0x82, "d"},
                          {"load", pickle_load, 0x82, "load($module, file, /, *, fix_imports=True"},
                          {"loads", pickle_loads, 0x82, ""},
                          {0}};
struct method sys[] = {{"addaudithook", other, 0x82, 0}, {"audit", audit, 0x80, 0}, {0}};

#ifdef USDT
unsigned short semaphore __attribute__((section(".probes")));

int fire(const char *event, void *args)
{
	__asm__ volatile("990: nop\n"
	                 ".pushsection .note.stapsdt,\"\",\"note\"\n"
	                 ".balign 4\n"
	                 ".4byte 992f-991f,994f-993f,3\n"
	                 "991: .asciz \"stapsdt\"\n"
	                 "992: .balign 4\n"
	                 "993: .8byte 990b, _.stapsdt.base, semaphore\n"
	                 ".asciz \"python\"\n"
	                 ".asciz \"audit\"\n"
	                 ".asciz \"8@%%rdi 8@%%rsi\"\n"
	                 "994: .balign 4\n"
	                 ".popsection\n"
	                 ".pushsection .stapsdt.base,\"aG\",\"progbits\",.stapsdt.base,comdat\n"
	                 ".weak _.stapsdt.base\n"
	                 "_.stapsdt.base: .space 1\n"
	                 ".popsection" ::"D"(event), "S"(args));
	return semaphore;
}
#endif

void _start(void)
{
	n = 1;
}
END

cat >reader.cc <<'END'
#include <string>

namespace caffe2 {
namespace serialize {
volatile int n;
class PyTorchStreamReader {
public:
	PyTorchStreamReader(const std::string &) { n = 1; }
	PyTorchStreamReader(std::istream *) { n = 2; }
	~PyTorchStreamReader() { n = 3; }
};
void use(const std::string &path, std::istream *stream)
{
	PyTorchStreamReader a(path), b(stream);
}
} // namespace serialize
} // namespace caffe2

namespace torch {
namespace jit {
class Unpickler {
public:
	void parse_ivalue();
};
void Unpickler::parse_ivalue()
{
	caffe2::serialize::n = 4;
}
} // namespace jit
} // namespace torch
END

small="-O2 -nostdlib -s -fno-ident -Wl,-z,noseparate-code,-z,max-page-size=4096,-z,norelro,--build-id=none"
gcc $small -shared -fPIC -DUSDT -o "$out/library" tables.c
gcc $small -shared -fPIC -fcf-protection -Wl,-z,pack-relative-relocs -o "$out/packed" tables.c
gcc $small -static -no-pie -fno-pie -DUSDT -o "$out/program" tables.c
sed 's/addaudithook/addauditbook/' "$out/library" >"$out/usdt" # where sys.audit() is not found
g++ $small -fno-inline -fno-exceptions -shared -fPIC -o "$out/torch" reader.cc
g++ $small -fno-inline -fno-exceptions -shared -fPIC -Wl,--hash-style=sysv -o "$out/torch-sysv" reader.cc
