typedef int mm_detect_placeholder; /* replaced by the first real file */
