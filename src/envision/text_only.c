/* text_only.c - the branches without pictures, as EOE (ICML 2024) has them: a conversation for each
 * ID class, or one about all of them. */
#include "envision/rounds.h"

#include "base/error.h"

#include <stdlib.h>

mmood_status mm_text_near_run(const mm_envisioner *e, size_t wanted, mmood_error *error) {
    mm_conversation *list = calloc(e->id_count + 1, sizeof *list);
    if (!list)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for the text-near branch");
    for (size_t i = 0; i < e->id_count; i++)
        list[i] = (mm_conversation){.opening = MM_PROMPT_TEXT_NEAR,
                                    .class_name = e->ids[i],
                                    .wanted = mm_share(wanted, e->id_count, i)};
    const mm_rounds how = {.branch = "text-near", .step = "text-near", .voice = MM_VOICE_SEES};
    mmood_status status = mm_rounds_run(list, e->id_count, &how, e, error);
    for (size_t i = 0; i < e->id_count; i++)
        mm_conversation_free(&list[i]);
    free(list);
    return status;
}

/* A conversation about all ID labels. */
static mmood_status run_one(const mm_envisioner *e, mm_prompt opening, size_t wanted,
                            mmood_error *error) {
    const char *branch = mm_prompt_name(opening);
    mm_conversation one = {.opening = opening, .wanted = wanted};
    const mm_rounds how = {.branch = branch, .step = branch, .voice = MM_VOICE_SEES};
    mmood_status status = mm_rounds_run(&one, 1, &how, e, error);
    mm_conversation_free(&one);
    return status;
}

mmood_status mm_text_far_run(const mm_envisioner *e, size_t wanted, mmood_error *error) {
    return run_one(e, MM_PROMPT_TEXT_FAR, wanted, error);
}

mmood_status mm_text_fine_run(const mm_envisioner *e, size_t wanted, mmood_error *error) {
    return run_one(e, MM_PROMPT_TEXT_FINE, wanted, error);
}
