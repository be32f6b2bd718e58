/* torch.h - the tensors of a file that torch.save wrote: a state dict, or a checkpoint around one.
 */
#ifndef MM_CLIP_TORCH_H
#define MM_CLIP_TORCH_H

#include "clip/safetensors.h"

/* Parses the bytes of one file, which must outlive `*out`. Nothing in it is executed. A contiguous
 * tensor points into the bytes, any other is copied; all copies together take at most as much
 * memory as the file. A prefix "module." that all names share is dropped. */
mmood_status mm_torch_parse(mm_safetensors **out, const void *data, size_t size,
                            mmood_error *error);

#endif
