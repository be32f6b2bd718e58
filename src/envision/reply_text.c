/* reply_text.c - a reply without what surrounds the answer: reasoning, special tokens of chat
 * templates, HTML tags, blocks of code. */
#include "envision/reply_internal.h"

#include <string.h>
#include <strings.h>

/* ---- Characters ---------------------------------------------------------------------------- */

/* What a character becomes; 0: nothing. */
static utf8proc_int32_t plain(utf8proc_int32_t c) {
    if (c == '\n' || c == '\t')
        return c;
    if (c == '\r' || c == 0x0b || c == 0x0c || c == 0x85 || c == 0x2028 || c == 0x2029)
        return '\n';
    if (c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad || c == 0x200b || c == 0x200e ||
        c == 0x200f || (c >= 0x202a && c <= 0x202e) || c == 0x2060 ||
        (c >= 0x2066 && c <= 0x2069) || c == 0xfeff)
        return 0;
    if (c >= 0xff01 && c <= 0xff5e) /* full-width forms of ASCII */
        return c - 0xfee0;
    return utf8proc_category(c) == UTF8PROC_CATEGORY_ZS ? ' ' : c;
}

void mm_reply_characters(mm_buffer *out, mm_reply *reply, mm_span text) {
    size_t broken = 0;
    for (size_t at = 0; at < text.size;) {
        utf8proc_int32_t c;
        utf8proc_uint8_t bytes[4];
        utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)text.text + at,
                                              (utf8proc_ssize_t)(text.size - at), &c);
        if (n <= 0) {
            mm_buffer_puts(out, "\xef\xbf\xbd");
            broken++;
            at++;
            continue;
        }
        int line_end = c == '\r' && at + 1 < text.size && text.text[at + 1] == '\n';
        c = line_end ? 0 : plain(c);
        if (c)
            mm_buffer_append(out, bytes, (size_t)utf8proc_encode_char(c, bytes));
        at += (size_t)n;
    }
    if (broken)
        mm_reply_note(reply, "%zu bytes of the reply are not UTF-8 and stand as U+FFFD", broken);
}

/* ---- Reasoning ----------------------------------------------------------------------------- */

static const struct {
    const char *open, *close;
} reasoning[] = {{"<think>", "</think>"},
                 {"<thinking>", "</thinking>"},
                 {"<thought>", "</thought>"},
                 {"<reasoning>", "</reasoning>"},
                 {"<reflection>", "</reflection>"},
                 {"<scratchpad>", "</scratchpad>"},
                 {"<analysis>", "</analysis>"},
                 {"[THINK]", "[/THINK]"},
                 {"<|thinking|>", "<|/thinking|>"},
                 {"\xe2\x97\x81think\xe2\x96\xb7", "\xe2\x97\x81/think\xe2\x96\xb7"}};

enum { REASONINGS = sizeof reasoning / sizeof *reasoning };

static size_t find(mm_span text, const char *what) {
    size_t n = strlen(what);
    for (size_t at = 0; at + n <= text.size; at++)
        if ((text.text[at] == *what) && strncasecmp(text.text + at, what, n) == 0)
            return at;
    return SIZE_MAX;
}

/* What follows the last header of a "final" channel, as gpt-oss writes it; else all. */
static mm_span final_channel(mm_span text) {
    static const char header[] = "<|channel|>final<|message|>";
    for (size_t at; (at = find(text, header)) != SIZE_MAX;)
        text = mm_from(text, at + sizeof header - 1);
    return text;
}

/* Copies what is outside of reasoning. A closing tag alone ends reasoning that the chat template
 * opened. A tag that is never closed leaves nothing after it. */
static void cut_reasoning(mm_buffer *out, mm_span text, int *thinking) {
    for (size_t at = 0; at < text.size;) {
        mm_span rest = mm_from(text, at);
        size_t i = 0, n = 1;
        if (*rest.text == '<' || *rest.text == '[' || *rest.text == '\xe2')
            while (i < REASONINGS && !mm_starts(rest, reasoning[i].open) &&
                   !mm_starts(rest, reasoning[i].close))
                i++;
        else
            i = REASONINGS;
        if (i == REASONINGS) {
            mm_buffer_append(out, rest.text, 1);
        } else if (mm_starts(rest, reasoning[i].close)) {
            n = strlen(reasoning[i].close);
            out->size = 0;
        } else {
            size_t end = find(rest, reasoning[i].close);
            *thinking = end == SIZE_MAX;
            n = *thinking ? rest.size : end + strlen(reasoning[i].close);
            mm_buffer_puts(out, "\n");
        }
        at += n;
    }
}

/* ---- Special tokens and tags --------------------------------------------------------------- */

static int is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Length of a special token at the start of `text`, or 0. */
static size_t special_token(mm_span text) {
    static const char *const names[] = {"</s>",   "<s>",     "<eos>",         "<bos>",
                                        "<pad>",  "<unk>",   "<end_of_turn>", "<start_of_turn>",
                                        "[INST]", "[/INST]", "<<SYS>>",       "<</SYS>>"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (mm_starts(text, names[i]))
            return strlen(names[i]);
    if (!mm_starts(text, "<|"))
        return 0;
    for (size_t at = 2; at + 1 < text.size && at < 64 && text.text[at] != '\n'; at++)
        if (text.text[at] == '|' && text.text[at + 1] == '>')
            return at + 2;
    return 0;
}

/* Length of an HTML tag or comment at the start of `text`, or 0. */
static size_t html_tag(mm_span text) {
    enum { LONGEST = 200, LONGEST_COMMENT = 400 };
    if (mm_starts(text, "<!--")) {
        size_t end = find(
            (mm_span){text.text, text.size < LONGEST_COMMENT ? text.size : LONGEST_COMMENT}, "-->");
        return end == SIZE_MAX ? 4 : end + 3;
    }
    size_t at = text.size > 1 && text.text[1] == '/' ? 2 : 1;
    if (text.size <= at || text.text[0] != '<' || !is_letter(text.text[at]))
        return 0;
    for (; at < text.size && at < LONGEST && !strchr("<\n", text.text[at]); at++)
        if (text.text[at] == '>')
            return at + 1;
    return 0;
}

/* What stands for a tag: line ends for blocks, a bullet for an item. */
static const char *tag_text(mm_span tag) {
    static const char *const blocks[] = {
        "br", "ul", "ol", "p",  "div", "tr",   "td",     "th",   "h1",    "h2",    "h3",
        "h4", "dl", "dt", "dd", "li",  "list", "answer", "item", "label", "table", "labels"};
    size_t at = 1 + (tag.text[1] == '/'), n = 0;
    while (is_letter(tag.text[at + n]) || (tag.text[at + n] >= '0' && tag.text[at + n] <= '9'))
        n++;
    if (at == 1 && n == 2 && strncasecmp(tag.text + at, "li", 2) == 0)
        return "\n- ";
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
        if (n == strlen(blocks[i]) && strncasecmp(tag.text + at, blocks[i], n) == 0)
            return "\n";
    return "";
}

/* Length of the role that follows a token which opens a turn. */
static size_t role(mm_span text) {
    static const char *const roles[] = {"assistant", "model", "final", "analysis"};
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++) {
        size_t n = strlen(roles[i]);
        if (mm_starts(text, roles[i]) && (text.size == n || strchr(" \n<:", text.text[n])))
            return n;
    }
    return 0;
}

/* The next turn, which a model without a stop token makes up. */
static int next_turn(mm_span text) {
    static const char *const starts[] = {"USER:", "### Human", "### User", "### Instruction"};
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
        if (text.size >= strlen(starts[i]) && memcmp(text.text, starts[i], strlen(starts[i])) == 0)
            return 1;
    return 0;
}

/* A token after the answer ends it: what follows is a turn that the model made up. */
static void cut_tokens(mm_buffer *out, mm_span text) {
    int blank = 1;
    for (size_t at = 0; at < text.size;) {
        mm_span rest = mm_from(text, at);
        int line_start = at == 0 || text.text[at - 1] == '\n';
        size_t n = strchr("<[", *rest.text) ? special_token(rest) : 0;
        if ((n || (line_start && next_turn(rest))) && !blank)
            return;
        if (n) {
            n += role(mm_from(rest, n));
        } else if ((n = *rest.text == '<' ? html_tag(rest) : 0)) {
            mm_buffer_puts(out, tag_text((mm_span){rest.text, n}));
        } else if (blank && line_start && mm_starts(rest, "ASSISTANT:")) {
            n = strlen("ASSISTANT:");
        } else {
            mm_buffer_append(out, rest.text, n = 1);
            blank = blank && strchr(" \t\n", *rest.text) != NULL;
        }
        at += n;
    }
}

void mm_reply_markup(mm_buffer *out, mm_span text, int *thinking) {
    mm_buffer answer = {0};
    *thinking = 0;
    cut_reasoning(&answer, final_channel(text), thinking);
    if (answer.size)
        cut_tokens(out, (mm_span){answer.data, answer.size});
    out->failed |= answer.failed;
    mm_buffer_free(&answer);
}

/* ---- Blocks of code ------------------------------------------------------------------------ */

typedef enum block { BLOCK_DATA, BLOCK_PROGRAM, BLOCK_SHELL } block;

static block block_of(mm_span language) {
    static const char *const data[] = {"json", "jsonc", "json5",     "jsonl",    "yaml", "yml",
                                       "text", "txt",   "plaintext", "markdown", "md",   "csv",
                                       "tsv",  "list",  "html",      "xml",      "none", "plain"};
    static const char *const shell[] = {"bash",       "sh",  "shell", "zsh",         "console",
                                        "powershell", "cmd", "bat",   "shellsession"};
    if (language.size == 0)
        return BLOCK_DATA;
    for (size_t i = 0; i < sizeof data / sizeof *data; i++)
        if (language.size == strlen(data[i]) && mm_starts(language, data[i]))
            return BLOCK_DATA;
    for (size_t i = 0; i < sizeof shell / sizeof *shell; i++)
        if (language.size == strlen(shell[i]) && mm_starts(language, shell[i]))
            return BLOCK_SHELL;
    return BLOCK_PROGRAM;
}

void mm_reply_fences(mm_buffer *out, mm_span text, int programs) {
    int inside = 0;
    block kind = BLOCK_DATA;
    for (size_t at = 0; at < text.size;) {
        const char *end = memchr(text.text + at, '\n', text.size - at);
        size_t n = end ? (size_t)(end - text.text) - at + 1 : text.size - at;
        mm_span line = {text.text + at, n}, trimmed = mm_trim(line);
        at += n;
        if ((mm_starts(trimmed, "```") || mm_starts(trimmed, "~~~")) &&
            !memchr(trimmed.text + 3, '`', trimmed.size - 3)) {
            mm_span language = mm_trim(mm_from(trimmed, 3));
            inside = !inside || language.size > 0;
            kind = inside ? block_of(language) : BLOCK_DATA;
            mm_buffer_puts(out, "\n");
        } else if (kind == BLOCK_DATA || (kind == BLOCK_PROGRAM && !programs)) {
            mm_buffer_append(out, line.text, line.size);
        }
    }
}
