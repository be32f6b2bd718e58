/* synthetic.h - model directories whose weights are numbers of a generator, as
 * tools/make_golden_open_clip.py makes them. */
#ifndef MM_TESTS_SYNTHETIC_H
#define MM_TESTS_SYNTHETIC_H

#include "test.h"

/* Element `index` of the numbers called `name`: from -1 to 1, by splitmix64 from its FNV-1a hash.
 */
double synthetic_uniform(const char *name, uint64_t index);

/* Crop `index` to `out` [size, size, 3]. */
void synthetic_crop(uint8_t *out, size_t index, size_t size);

/* Makes `directory` with the files of golden/open_clip/`name`, weights and a tokenizer; returns
 * 0, or -1 with errno. `weights` is the name of the file of weights. */
int synthetic_write(const char *directory, const char *name, const char *weights);

/* Removes what synthetic_write made. */
void synthetic_remove(const char *directory);

#endif
