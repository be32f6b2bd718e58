/* similarity_table.h - the tables that the similarity_*.c files define. */
#ifndef MM_DETECT_SIMILARITY_TABLE_H
#define MM_DETECT_SIMILARITY_TABLE_H

#include "detect/similarity.h"

extern const mm_similarity mm_similarity_base;
extern const mm_similarity mm_similarity_avx2;
extern const mm_similarity mm_similarity_avx512;

#endif
