/* main.c — the latentwalk program. Everything it does is in the library beside it, so that tests can too. */
#include "options.h"

int main(int count, char **arguments)
{
    return lwh_main(count, arguments);
}
