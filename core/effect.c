#include "effect.h"

#include <errno.h>
#include <string.h>

static const char *const fact_words[MW_FACT_COUNT] = {
#define X(id, word) word,
        MW_FACTS(X)
#undef X
};

const char *mw_fact_name(enum mw_fact_bit bit)
{
	return (unsigned)bit < MW_FACT_COUNT ? fact_words[bit] : "?";
}

int mw_fact_parse(const char *word)
{
	for (int bit = 0; bit < MW_FACT_COUNT; bit++)
		if (!strcmp(fact_words[bit], word))
			return bit;
	return -EINVAL;
}
