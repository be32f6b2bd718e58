/* near.c - the near branch: pictures of each ID class, and what could be mistaken for them. */
#include "envision/rounds.h"

#include "base/error.h"

#include <stdlib.h>

static mmood_status no_memory(mmood_error *error) {
    return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for the near branch");
}

/* Keeps which pictures each class was shown by. */
static json_t *pictures_value(const mm_conversation *c) {
    json_t *list = json_array();
    for (size_t i = 0; i < c->shown_count; i++)
        if (c->shown[i].hash[0])
            json_array_append_new(list,
                                  json_pack("{s:o, s:s}", "path", mm_text_value(c->shown[i].path),
                                            "sha256", c->shown[i].hash));
    return list;
}

mmood_status mm_near_run(const mm_envisioner *e, const mm_class_pictures *classes, size_t wanted,
                         mmood_error *error) {
    size_t pictures = 0, used = 0, count = 0;
    mmood_error none;
    for (size_t i = 0; i < e->id_count; i++)
        pictures += classes[i].count;
    mm_conversation *list = calloc(e->id_count + 1, sizeof *list);
    mm_shown *shown = calloc(pictures + 1, sizeof *shown);
    mmood_status status = list && shown ? MMOOD_OK : no_memory(error);
    for (size_t i = 0; i < e->id_count && status == MMOOD_OK; i++) {
        if (classes[i].count == 0) {
            mm_error_set(&none, MMOOD_ERROR_ARGUMENT,
                         "there is no picture of it, expected a folder or files of its name");
            mm_outliers_fail(e->out, "near", e->ids[i], &none);
            continue;
        }
        list[count++] = (mm_conversation){.opening = MM_PROMPT_NEAR,
                                          .class_name = e->ids[i],
                                          .shown = &shown[used],
                                          .shown_count = classes[i].count,
                                          .wanted = mm_share(wanted, e->id_count, i)};
        for (size_t k = 0; k < classes[i].count; k++)
            shown[used++].path = classes[i].paths[k];
    }
    const mm_rounds how = {.branch = "near", .step = "near", .voice = MM_VOICE_SEES};
    if (status == MMOOD_OK)
        status = mm_rounds_run(list, count, &how, e, error);
    json_t *step = json_object();
    for (size_t i = 0; i < count && list; i++) {
        e->out->failed |= json_object_set_new(step, list[i].class_name, pictures_value(&list[i]));
        mm_conversation_free(&list[i]);
    }
    mm_outliers_step(e->out, "near_pictures", step);
    free(list);
    free(shown);
    return status;
}
