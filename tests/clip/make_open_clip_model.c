/* make_open_clip_model.c - makes a model directory of golden/open_clip for tests of the program:
 *     make_open_clip_model NAME DIRECTORY      (in tests/) */
#include "clip/synthetic.h"

#include <stdio.h>

int main(int argc, char **argv) {
    if (argc != 3 || synthetic_write(argv[2], argv[1], "open_clip_model.safetensors")) {
        perror(argc == 3 ? argv[2] : "usage: make_open_clip_model NAME DIRECTORY");
        return 1;
    }
    return 0;
}
