/* templates.c - checking and filling in templates. */
#include "detect/templates.h"

#include "base/error.h"

#include <string.h>

mmood_status mm_template_check(const char *text, mmood_error *error) {
    size_t count = 0;
    for (const char *p = text; (p = strstr(p, "{}")); p += 2)
        count++;
    if (count == 1)
        return MMOOD_OK;
    return mm_error_set(
        error, MMOOD_ERROR_ARGUMENT,
        "the template \"%s\" holds \"{}\" %zu times; once is needed, where the label "
        "goes, as in \"a photo of a {}\"",
        text, count);
}

void mm_template_expand(mm_buffer *out, const char *text, const char *label) {
    const char *place = strstr(text, "{}");
    mm_buffer_append(out, text, (size_t)(place - text));
    mm_buffer_puts(out, label);
    mm_buffer_puts(out, place + 2);
}
