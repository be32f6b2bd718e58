/* main.c - the program: one table of commands, each in a file of its own. */
#include "mmood.h"

#include <stdio.h>

int main(void) {
    printf("mmood %s\n", MMOOD_VERSION_STRING);
    return 0;
}
