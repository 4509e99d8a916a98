/* Calls every function of leaves.S, 8,000 times a second asked for, and tells what differed. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define ROUNDS 8000

struct leaf {
	uint64_t (*call)(uint64_t value);
	const volatile unsigned char *probed;
};

extern const struct leaf mw_leaves[];

static unsigned breakpoints(void)
{
	unsigned found = 0;

	for (const struct leaf *leaf = mw_leaves; leaf->call; leaf++)
		for (int i = 0; i < 5; i += 4) /* the instruction, or the one after endbr64 */
			found += leaf->probed[i] == 0xcc;
	return found;
}

int main(int argc, char **argv)
{
	uint64_t rounds = ROUNDS * (argc > 1 ? strtoull(argv[1], NULL, 10) : 1), wrong = 0;
	unsigned before = breakpoints(), leaves = 0;

	for (uint64_t i = 1; i <= rounds; i++) {
		leaves = 0;
		for (const struct leaf *leaf = mw_leaves; leaf->call; leaf++, leaves++)
			wrong += leaf->call(i * UINT64_C(0x9e3779b97f4a7c15)) != 0;
	}
	printf("%llu calls of each of %u functions, %llu wrong\n", (unsigned long long)rounds,
	       leaves, (unsigned long long)wrong);
	fprintf(stderr, "loads: %llu probed: %u %u\n", (unsigned long long)rounds, before,
	        breakpoints());
	return wrong != 0;
}
