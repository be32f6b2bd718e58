/* similarity_avx2.c - the loops for x86 with AVX2 and FMA. */
#define MM_LANES 4
#define MM_SIMILARITY mm_similarity_avx2
#include "detect/similarity_body.h"
