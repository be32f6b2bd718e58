/* csv.c - RFC 4180: fields separated by commas, quoted where needed, quotes doubled; LF or CRLF. */
#include "eval/csv.h"

#include "base/buffer.h"
#include "base/error.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SETS = 1000, MAX_FIELD = 1 << 16 };

typedef struct reader {
    const char *data;
    size_t size;
    size_t at;
    size_t line;
} reader;

/* Reads one field to `field`; *last is 1 if it ends its row. */
static mmood_status read_field(reader *r, mm_buffer *field, int *last, mmood_error *error) {
    size_t line = r->line;
    int quoted = r->at < r->size && r->data[r->at] == '"';
    field->size = 0;
    if (quoted)
        r->at++;
    for (;; r->at++) {
        int end = r->at >= r->size;
        char c = end ? '\n' : r->data[r->at];
        if (quoted && end)
            return mm_error_set(error, MMOOD_ERROR_FORMAT, "line %zu: a quoted field has no end",
                                line);
        if (quoted && c == '"') {
            if (r->at + 1 < r->size && r->data[r->at + 1] == '"') {
                r->at++;
            } else {
                quoted = 0;
                continue;
            }
        } else if (!quoted && (c == ',' || c == '\n')) {
            *last = c == '\n';
            r->line += (size_t)*last;
            r->at++;
            break;
        } else if (!quoted && c == '\r' && (r->at + 1 >= r->size || r->data[r->at + 1] == '\n')) {
            continue;
        }
        if (c == '\n')
            r->line++;
        if (field->size >= MAX_FIELD)
            return mm_error_set(error, MMOOD_ERROR_LIMIT, "line %zu: a field is over %d bytes",
                                line, (int)MAX_FIELD);
        mm_buffer_append(field, &c, 1);
    }
    mm_buffer_append(field, "", 1); /* so that there is always a string */
    if (field->failed)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a field");
    field->size--;
    return MMOOD_OK;
}

static mmood_status read_header(reader *r, mm_buffer *field, size_t *set, size_t *score,
                                mmood_error *error) {
    *set = *score = SIZE_MAX;
    int last = 0;
    for (size_t column = 0; !last; column++) {
        mmood_status status = read_field(r, field, &last, error);
        if (status != MMOOD_OK)
            return status;
        size_t *place = strcmp(field->data, "set") == 0     ? set
                        : strcmp(field->data, "score") == 0 ? score
                                                            : NULL;
        if (place && *place != SIZE_MAX)
            return mm_error_set(error, MMOOD_ERROR_FORMAT, "two columns are called \"%s\"",
                                field->data);
        if (place)
            *place = column;
    }
    if (*set == SIZE_MAX || *score == SIZE_MAX)
        return mm_error_set(
            error, MMOOD_ERROR_FORMAT,
            "the first line must name the columns, \"set\" and \"score\" among them");
    return MMOOD_OK;
}

static mmood_status add(mm_score_table *table, const char *name, double score, mmood_error *error) {
    mm_score_set *set = NULL;
    for (size_t i = 0; i < table->count && !set; i++)
        if (strcmp(table->sets[i].name, name) == 0)
            set = &table->sets[i];
    if (!set) {
        if (table->count == MAX_SETS)
            return mm_error_set(error, MMOOD_ERROR_LIMIT, "more than %d sets", (int)MAX_SETS);
        mm_score_set *grown = realloc(table->sets, (table->count + 1) * sizeof *grown);
        char *copy = strdup(name);
        if (grown)
            table->sets = grown;
        if (!grown || !copy) {
            free(copy);
            return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a set");
        }
        set = &table->sets[table->count++];
        *set = (mm_score_set){.name = copy};
    }
    if (set->count == set->room) {
        size_t room = set->room ? 2 * set->room : 64;
        double *grown = realloc(set->scores, room * sizeof *grown);
        if (!grown)
            return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for %zu scores", room);
        set->scores = grown;
        set->room = room;
    }
    set->scores[set->count++] = score;
    return MMOOD_OK;
}

/* Infinities are scores; NaN and anything else are not. */
static mmood_status read_score(double *out, const mm_buffer *field, size_t line,
                               mmood_error *error) {
    char *end;
    *out = strtod(field->data, &end);
    if (field->size > 0 && end == field->data + field->size && !isnan(*out))
        return MMOOD_OK;
    return mm_error_set(error, MMOOD_ERROR_NUMERIC,
                        "line %zu: the score is \"%.60s\"; a number is needed%s", line, field->data,
                        field->size ? "" : " (take out rows of pictures that failed)");
}

/* One row; blank lines are skipped. */
static mmood_status read_row(mm_score_table *table, reader *r, mm_buffer *field, size_t set_column,
                             size_t score_column, mmood_error *error) {
    mm_buffer name = {0};
    double score = NAN;
    size_t line = r->line, column = 0;
    int last = 0, blank = 0, has_score = 0;
    mmood_status status = MMOOD_OK;
    for (; !last && status == MMOOD_OK; column++) {
        status = read_field(r, field, &last, error);
        if (status != MMOOD_OK)
            break;
        blank = column == 0 && last && field->size == 0;
        if (column == set_column) {
            mm_buffer_append(&name, field->data, field->size);
        } else if (column == score_column && !blank) {
            has_score = 1;
            status = read_score(&score, field, line, error);
        }
    }
    if (status == MMOOD_OK && !blank) {
        if (!has_score || name.size == 0)
            status = mm_error_set(error, MMOOD_ERROR_FORMAT,
                                  "line %zu has %zu fields: set or score is missing", line, column);
        else
            status = add(table, name.data, score, error);
    }
    mm_buffer_free(&name);
    return status;
}

mmood_status mm_score_table_parse(mm_score_table *out, const char *data, size_t size,
                                  mmood_error *error) {
    *out = (mm_score_table){0};
    reader r = {data, size, 0, 1};
    if (size >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0)
        r.at = 3;
    mm_buffer field = {0};
    size_t set, score;
    mmood_status status = read_header(&r, &field, &set, &score, error);
    while (status == MMOOD_OK && r.at < r.size)
        status = read_row(out, &r, &field, set, score, error);
    mm_buffer_free(&field);
    return status;
}

void mm_score_table_free(mm_score_table *table) {
    for (size_t i = 0; i < table->count; i++) {
        free(table->sets[i].name);
        free(table->sets[i].scores);
    }
    free(table->sets);
    *table = (mm_score_table){0};
}
