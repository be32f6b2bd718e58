/* labels_csv.c - labels from a column of a table, and refusing what would be a wrong label on every
 * line: tables without a header, and numbered lines. Labels may have commas, so a file is a table
 * only if its first line names a column of labels, or if all its lines have one number more. */
#include "detect/labels.h"

#include "base/buffer.h"
#include "base/error.h"

#include <string.h>
#include <strings.h>

typedef struct table {
    const char *at;
    const char *end;
    size_t line; /* of `at`, from 1 */
    char separator;
} table;

/* Reads a field to `out` and moves behind it; 1 if the row has more of them. */
static int read_field(mm_buffer *out, table *t) {
    int quoted = 0;
    out->size = 0;
    for (; t->at < t->end; t->at++) {
        char c = *t->at;
        if (c == '"' && quoted && t->at + 1 < t->end && t->at[1] == '"') {
            t->at++;
        } else if (c == '"' && (quoted || out->size == 0)) {
            quoted = !quoted;
            continue;
        } else if (!quoted && c == t->separator) {
            t->at++;
            return 1;
        } else if (!quoted && (c == '\n' || c == '\r')) {
            t->at += c == '\r' && t->at + 1 < t->end && t->at[1] == '\n' ? 2 : 1;
            t->line++;
            return 0;
        }
        t->line += c == '\n';
        mm_buffer_append(out, &c, 1);
    }
    return 0;
}

static int is_label_column(const mm_buffer *field) {
    static const char *const columns[] = {"label",      "labels",    "name",     "names",
                                          "class",      "classname", "category", "class_name",
                                          "class name", "label_name"};
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        if (field->size == strlen(columns[i]) &&
            strncasecmp(field->data, columns[i], field->size) == 0)
            return 1;
    return 0;
}

static int is_number(const mm_buffer *field) {
    size_t digits = 0;
    for (size_t i = 0; i < field->size; i++)
        if (field->data[i] >= '0' && field->data[i] <= '9')
            digits++;
        else if (field->data[i] != ' ')
            return 0;
    return digits > 0;
}

/* Reads the header: the only column of labels and how many columns there are. 0 if the first line
 * is none. */
static int read_header(table *t, mm_buffer *field, size_t *column, size_t *count) {
    size_t found = 0;
    *count = 0;
    for (int more = 1; more; ++*count) {
        more = read_field(field, t);
        if (is_label_column(field)) {
            *column = *count;
            found++;
        }
    }
    return found == 1 && *count > 1;
}

/* The separator that makes the first line a header, with the table behind that line; 0: none. */
static char find_header(table *t, const char *text, size_t size, size_t *column, size_t *count) {
    static const char separators[] = ",;\t";
    mm_buffer field = {0};
    int found = 0;
    for (size_t i = 0; separators[i] && !found; i++) {
        *t = (table){text, text + size, 1, separators[i]};
        found = read_header(t, &field, column, count);
    }
    mm_buffer_free(&field);
    return found ? t->separator : '\0';
}

int mm_labels_is_csv(const char *text, size_t size) {
    table t;
    size_t column, count;
    return find_header(&t, text, size, &column, &count) != 0;
}

mmood_status mm_labels_read_csv(mmood_labels *labels, const char *text, size_t size,
                                mmood_error *error) {
    table t;
    size_t column = 0, count = 0;
    mm_buffer field = {0}, label = {0};
    if (!find_header(&t, text, size, &column, &count))
        return mm_error_set(error, MMOOD_ERROR_FORMAT, "the table's first line names no labels");
    mmood_status status =
        mm_labels_note(labels, MMOOD_FINDING_FORMAT, 1, error,
                       "read as a table: only the labels of column %zu of %zu", column + 1, count);
    while (t.at < t.end && status == MMOOD_OK) {
        size_t fields = 0, line = t.line;
        for (int more = 1; more; fields++)
            more = read_field(fields == column ? &label : &field, &t);
        if (fields == 1 && (column == 0 ? label.size : field.size) == 0)
            continue; /* a blank line */
        if (field.failed || label.failed)
            status = mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a label");
        else if (fields != count)
            status = mm_error_set(error, MMOOD_ERROR_FORMAT,
                                  "line %zu has %zu columns, and the header %zu: put a field that "
                                  "has a \"%c\" in double quotes",
                                  line, fields, count, t.separator);
        else
            status =
                mm_labels_add(labels, label.size ? label.data : "", label.size, NULL, line, error);
    }
    mm_buffer_free(&field);
    mm_buffer_free(&label);
    return status;
}

/* 1 if every line with text has two fields, one of them a number, and there are several. */
static int is_bare_table(const char *text, size_t size, char separator) {
    table t = {text, text + size, 1, separator};
    mm_buffer fields[2] = {{0}, {0}};
    size_t rows = 0;
    int is = 1;
    while (t.at < t.end && is) {
        int more = read_field(&fields[0], &t);
        if (!more && fields[0].size == 0)
            continue;
        is = more && !read_field(&fields[1], &t) && is_number(&fields[0]) != is_number(&fields[1]);
        rows++;
    }
    mm_buffer_free(&fields[0]);
    mm_buffer_free(&fields[1]);
    return is && rows > 1;
}

mmood_status mm_labels_refuse_tables(const char *text, size_t size, mmood_error *error) {
    static const char separators[] = ",;\t:";
    for (size_t i = 0; separators[i]; i++)
        if (is_bare_table(text, size, separators[i]))
            return mm_error_set(
                error, MMOOD_ERROR_FORMAT,
                "every line is a label and a number with a \"%s\" between: give a label a line, or "
                "a first line that names the columns, such as \"id,label\", or YAML with "
                "\"names:\"",
                separators[i] == '\t' ? "tab" : (const char[]){separators[i], '\0'});
    return MMOOD_OK;
}
