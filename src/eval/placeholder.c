typedef int mm_eval_placeholder; /* replaced by the first real file */
