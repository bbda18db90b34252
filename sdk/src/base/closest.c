/* closest.c — the nearest of some names, for "did you mean". */
#include "latentwalk/base.h"

#include <string.h>

enum { LONGEST = 128, FURTHEST = 3 };

static int smallest(int a, int b)
{
    return a < b ? a : b;
}

/* Damerau–Levenshtein distance (insert, delete, replace, swap of neighbours) with three rolling
 * rows; both texts are at most LONGEST bytes. */
static int distance(const char *a, size_t length_a, const char *b, size_t length_b)
{
    int rows[3][LONGEST + 1];
    int *before = rows[0], *last = rows[1], *now = rows[2];
    for (size_t j = 0; j <= length_b; j++)
        last[j] = (int)j;
    for (size_t i = 1; i <= length_a; i++) {
        now[0] = (int)i;
        for (size_t j = 1; j <= length_b; j++) {
            int replaced = last[j - 1] + (a[i - 1] != b[j - 1]);
            now[j] = smallest(replaced, smallest(last[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                now[j] = smallest(now[j], before[j - 2] + 1);
        }
        int *oldest = before;
        before = last;
        last = now;
        now = oldest;
    }
    return last[length_b];
}

const char *lw_closest(const char *text, const char *const *candidates)
{
    size_t length = strlen(text);
    if (length == 0 || length > LONGEST)
        return NULL;
    int limit = smallest(FURTHEST, (int)(length / 3));
    int best = (limit < 1 ? 1 : limit) + 1;
    const char *found = NULL;
    for (; *candidates; candidates++) {
        size_t other = strlen(*candidates);
        if (other > LONGEST)
            continue;
        int d = distance(text, length, *candidates, other);
        if (d < best) {
            best = d;
            found = *candidates;
        }
    }
    return found;
}
