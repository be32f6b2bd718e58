/* word_forms.h - one form for the spellings of a label: case, spaces, articles, plurals. */
#ifndef MM_ENVISION_WORD_FORMS_H
#define MM_ENVISION_WORD_FORMS_H

#include "base/buffer.h"

/* Appends a label as the outlier list has it: composed (NFC), lower-case, "_" and runs of white
 * space as one space, without "a", "an" or "the" before it and punctuation around it. Nothing
 * remains of a label that is only punctuation. 0 if the label is not UTF-8 or memory is out. */
int mm_label_clean(mm_buffer *out, const char *text, size_t size);

/* Makes the last word of a clean label singular, if it is an English plural by these rules:
 *   - irregular ones are listed (men, mice, wolves, ...), as are words that only look like plurals
 *     (lens, chaos, series, ...);
 *   - "-men" is "-man", but for listed words (ramen, specimen, ...);
 *   - "-ies" is "-y" in words of five letters and more, but for a list of "-ie" words (movies,
 * ...);
 *   - "-ches", "-shes", "-sses", "-xes", "-zzes" lose "es", but for a list (avalanches, ...);
 *   - "-oes" loses "es" in words of five letters and more, but for a list (shoes, ...);
 *   - any other "-s" in a word of four letters and more is lost, but not "-ss", "-us", "-is". */
void mm_make_singular(mm_buffer *label);

/* Appends the key of a clean label: equal for two labels that differ only in case, plural, spaces,
 * hyphens and other punctuation. */
int mm_label_key(mm_buffer *out, const char *clean, size_t size);

#endif
