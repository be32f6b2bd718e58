/* note.h - telling the library's user what became of things that are kept on disk. */
#ifndef MM_CLIP_NOTE_H
#define MM_CLIP_NOTE_H

/* Who is told, in words; `say` may be NULL. */
typedef struct mm_note {
    void (*say)(void *context, const char *text);
    void *context;
} mm_note;

void mm_note_say(const mm_note *note, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
