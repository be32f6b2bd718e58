/* similarity_base.c - the loops for plain C, whatever the compiler makes of it. */
#define MM_LANES 2
#define MM_SIMILARITY mm_similarity_base
#include "detect/similarity_body.h"
