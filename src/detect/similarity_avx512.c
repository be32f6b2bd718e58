/* similarity_avx512.c - the loops for x86 with AVX-512 (F, DQ). */
#define MM_LANES 8
#define MM_SIMILARITY mm_similarity_avx512
#include "detect/similarity_body.h"
