/* suite_describe.c - what a suite needs, in words: what to put where, and what is missing. */
#include "eval/suite.h"

#include "base/file.h"
#include "eval/suite_parts.h"

#include <stdlib.h>
#include <string.h>

enum { NAMED = 3, NAMED_MISSING = 5 }; /* classes given as examples, classes named as missing */

static void put_example(mm_buffer *out, const mm_suite_set *set, size_t i) {
    mm_buffer_printf(out, "%s%s%s", i ? ", " : " ", set->classes[i].folder,
                     set->naming == MM_SUITE_PREFIX ? "_*" : "");
}

static void describe_set(mm_buffer *out, const mm_suite_set *set, int is_id) {
    mm_buffer_printf(out, "  %s/\n", set->folder);
    if (!set->class_count)
        mm_buffer_printf(out, "    %s (%s): all pictures, in folders or not\n", set->name,
                         is_id ? "ID" : "OOD");
    else
        mm_buffer_printf(out, "    %s (%s): %zu classes, %s:", set->name, is_id ? "ID" : "OOD",
                         set->class_count,
                         set->naming == MM_SUITE_PREFIX ? "files named" : "a folder each");
    for (size_t i = 0; i < set->class_count && i < NAMED; i++)
        put_example(out, set, i);
    if (set->class_count)
        mm_buffer_puts(out, set->class_count > NAMED ? ", ...\n" : "\n");
    if (set->list && set->flags)
        mm_buffer_printf(out, "    only pictures of %s that have %s in %s\n", set->list, set->keep,
                         set->flags);
    else if (set->list)
        mm_buffer_printf(out, "    only pictures that %s names\n", set->list);
    mm_buffer_printf(out, "    from %s\n", set->source);
}

/* 1 if data/folder or data/folder/name is missing. */
static int is_missing(const char *data, const char *folder, const char *name) {
    char *path = mm_suite_path(data, folder, name);
    int missing = !path || !mm_is_directory(path);
    free(path);
    return missing;
}

static size_t describe_file(mm_buffer *out, const char *data, const char *file) {
    if (!file || mm_file_exists_in(data, file))
        return 0;
    mm_buffer_printf(out, "    missing: %s\n", file);
    return 1;
}

static size_t describe_missing(mm_buffer *out, const mm_suite_set *set, const char *data) {
    size_t missing = 0;
    if (is_missing(data, set->folder, NULL)) {
        mm_buffer_printf(out, "    missing: %s/\n", set->folder);
        missing = 1;
    } else if (set->naming == MM_SUITE_FOLDERS) {
        for (size_t i = 0; i < set->class_count; i++)
            if (is_missing(data, set->folder, set->classes[i].folder) && missing++ < NAMED_MISSING)
                mm_buffer_printf(out, "    missing: %s/%s/\n", set->folder, set->classes[i].folder);
        if (missing > NAMED_MISSING)
            mm_buffer_printf(out, "    missing: %zu folders of classes in all\n", missing);
    }
    return missing + describe_file(out, data, set->list) + describe_file(out, data, set->flags);
}

size_t mm_suite_describe(mm_buffer *out, const mm_suite *suite, const char *data) {
    size_t missing = 0;
    mm_buffer_printf(out, "%s: %s\n", suite->name, suite->title);
    if (suite->note)
        mm_buffer_printf(out, "%s\n", suite->note);
    mm_buffer_puts(out, "The data directory holds, as the data sets unpack:\n");
    for (size_t i = 0; i < suite->set_count; i++) {
        describe_set(out, &suite->sets[i], i == 0);
        if (data)
            missing += describe_missing(out, &suite->sets[i], data);
    }
    if (missing)
        mm_buffer_printf(out, "In %s %zu of these are missing.\n", data, missing);
    return missing;
}
