/* note.c - telling the library's user. */
#include "clip/note.h"

#include <stdarg.h>
#include <stdio.h>

void mm_note_say(const mm_note *note, const char *format, ...) {
    char text[2048];
    va_list arguments;
    if (!note->say)
        return;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    note->say(note->context, text);
}
