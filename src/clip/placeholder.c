typedef int mm_clip_placeholder; /* replaced by the first real file */
