/* What all copies of check.c share: main PART PARTS does a part of the work. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t one_by_one, steps, faults;
void check(int64_t part, int64_t parts);

/* Whether a number is what it is to be; if not, a line says so. */
static int equal(const char *prefix, const char *what, uint32_t target, int64_t at, int64_t found,
                 int64_t expected)
{
    if (found != expected) {
        printf("%s: target %u: %s %lld is %lld, and not %lld\n", prefix, target, what, (long long)at,
               (long long)found, (long long)expected);
        faults++;
    }
    return found == expected;
}

int main(int count, char **arguments)
{
    if (count != 3)
        return 2;
    check(atoll(arguments[1]), atoll(arguments[2]));
    printf("checked %llu %llu\n", (unsigned long long)one_by_one, (unsigned long long)steps);
    return faults > 0;
}
