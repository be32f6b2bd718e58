/* similar.c - edit distances between short words. */
#include "cli/similar.h"

#include <stdint.h>
#include <string.h>

enum { LONGEST = 40, FARTHEST = 2 };

static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

size_t similar_distance(const char *a, const char *b) {
    size_t rows[3][LONGEST + 1]; /* the row before the last, the last, the current one */
    size_t m = strlen(a), n = strlen(b);
    if (m > LONGEST || n > LONGEST)
        return SIZE_MAX;
    for (size_t j = 0; j <= n; j++)
        rows[0][j] = rows[1][j] = j;
    for (size_t i = 1; i <= m; i++) {
        rows[2][0] = i;
        for (size_t j = 1; j <= n; j++) {
            size_t best = rows[1][j - 1] + (a[i - 1] != b[j - 1]);
            best = least(best, least(rows[1][j], rows[2][j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                best = least(best, rows[0][j - 2] + 1);
            rows[2][j] = best;
        }
        memcpy(rows[0], rows[1], sizeof rows[0]);
        memcpy(rows[1], rows[2], sizeof rows[1]);
    }
    return rows[1][n];
}

void similar_offer(similar *s, const char *candidate) {
    size_t distance = similar_distance(s->word, candidate);
    if (distance <= FARTHEST && 2 * distance < strlen(s->word) &&
        (!s->best || distance < s->distance)) {
        s->best = candidate;
        s->distance = distance;
    }
}
