/* torch_pickle.c - a pickle machine (Python's Lib/pickletools.py describes the opcodes) that makes
 * containers, numbers, texts and tensors, and nothing else. */
#include "clip/torch_pickle.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

enum {
    MAX_PICKLE = 64 << 20,
    MAX_VALUES = 1 << 20, /* on the stack, in the memo, in all containers */
    MAX_CONTAINERS = 1 << 19,
    MAX_TEXT = 1 << 16,
    MAX_NAME = 256 /* of a module or what is in it */
};

const char *mm_pickle_kind_name(mm_pickle_kind kind) {
    static const char *const names[] = {"None",     "a bool",    "an int",   "a float",
                                        "a text",   "a tuple",   "a list",   "a dict",
                                        "a global", "a storage", "a tensor", "a mark"};
    return names[kind];
}

mmood_status mm_pickle_grow(void **list, size_t *capacity, size_t count, size_t each, size_t most,
                            const char *what, mmood_error *error) {
    if (count < *capacity)
        return MMOOD_OK;
    if (count >= most)
        return mm_error_set(error, MMOOD_ERROR_LIMIT,
                            "the pickle makes more than %zu %s; a state dict has far fewer", most,
                            what);
    size_t larger = *capacity ? 2 * *capacity : 4;
    void *grown = realloc(*list, larger * each);
    if (!grown)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for %zu %s", larger, what);
    *list = grown;
    *capacity = larger;
    return MMOOD_OK;
}

static mmood_status list_add(mm_pickle_list *list, mm_pickle_value value, mmood_error *error) {
    void *items = list->items;
    mmood_status status = mm_pickle_grow(&items, &list->capacity, list->count, sizeof value,
                                         MAX_VALUES, "values", error);
    list->items = items;
    if (status == MMOOD_OK)
        list->items[list->count++] = value;
    return status;
}

mmood_status mm_pickle_container(mm_pickle *p, mm_pickle_value *out, mm_pickle_kind kind,
                                 mmood_error *error) {
    void *containers = p->containers;
    mmood_status status =
        mm_pickle_grow(&containers, &p->container_capacity, p->container_count,
                       sizeof *p->containers, MAX_CONTAINERS, "containers", error);
    p->containers = containers;
    if (status != MMOOD_OK)
        return status;
    *out = (mm_pickle_value){.kind = kind, .as.index = p->container_count};
    p->containers[p->container_count++] = (mm_pickle_list){0};
    return MMOOD_OK;
}

/* ---- The machine --------------------------------------------------------------------------- */

typedef struct machine {
    mm_pickle *p;
    const uint8_t *data;
    size_t size, at;
    uint8_t code;      /* the opcode at work */
    uint64_t argument; /* and the number after it */
    int stopped;
} machine;

static mmood_status push(machine *m, mm_pickle_value value, mmood_error *error) {
    return list_add(&m->p->stack, value, error);
}

static mmood_status push_number(machine *m, mm_pickle_kind kind, int64_t number,
                                mmood_error *error) {
    return push(m, (mm_pickle_value){.kind = kind, .as.number = number}, error);
}

/* The topmost value, which must be of a kind. */
static mmood_status top(mm_pickle_value **out, machine *m, mm_pickle_kind kind,
                        mmood_error *error) {
    mm_pickle_list *stack = &m->p->stack;
    *out = stack->count ? &stack->items[stack->count - 1] : NULL;
    if (*out && (*out)->kind == kind)
        return MMOOD_OK;
    return mm_error_set(error, MMOOD_ERROR_FORMAT, "the stack has %s on top, expected %s",
                        *out ? mm_pickle_kind_name((*out)->kind) : "nothing",
                        mm_pickle_kind_name(kind));
}

/* Takes the topmost value, whatever it is but a mark. */
static mmood_status pop(mm_pickle_value *out, machine *m, mmood_error *error) {
    mm_pickle_list *stack = &m->p->stack;
    if (stack->count == 0 || stack->items[stack->count - 1].kind == MM_PICKLE_MARK)
        return mm_error_set(error, MMOOD_ERROR_FORMAT, "the stack has no value on top");
    *out = stack->items[--stack->count];
    return MMOOD_OK;
}

/* How many values are above the topmost mark. */
static mmood_status above_mark(size_t *out, machine *m, mmood_error *error) {
    const mm_pickle_list *stack = &m->p->stack;
    size_t at = stack->count;
    while (at > 0 && stack->items[at - 1].kind != MM_PICKLE_MARK)
        at--;
    *out = stack->count - at;
    return at > 0 ? MMOOD_OK : mm_error_set(error, MMOOD_ERROR_FORMAT, "the stack has no mark");
}

/* Moves the topmost `count` values to a container. */
static mmood_status fill(machine *m, size_t index, size_t count, mmood_error *error) {
    mm_pickle *p = m->p;
    const mm_pickle_value *from = p->stack.items + (p->stack.count - count);
    mmood_status status = MMOOD_OK;
    if (count > (size_t)MAX_VALUES - p->values)
        return mm_error_set(error, MMOOD_ERROR_LIMIT,
                            "the containers hold more than %d values; a state dict has far fewer",
                            (int)MAX_VALUES);
    for (size_t i = 0; i < count && status == MMOOD_OK; i++)
        if (from[i].kind == MM_PICKLE_MARK)
            status = mm_error_set(error, MMOOD_ERROR_FORMAT, "a mark is no value");
        else
            status = list_add(&p->containers[index], from[i], error);
    p->stack.count -= count;
    p->values += count;
    return status;
}

/* ---- Opcodes ------------------------------------------------------------------------------- */

static mmood_status run_protocol(machine *m, mmood_error *error) {
    if (m->argument >= 2 && m->argument <= 5)
        return MMOOD_OK;
    return mm_error_set(error, MMOOD_ERROR_UNSUPPORTED,
                        "pickle protocol %u; 2 (torch.save's own) to 5 are read",
                        (unsigned)m->argument);
}

/* A frame only says how much to buffer. */
static mmood_status run_frame(machine *m, mmood_error *error) {
    (void)m;
    (void)error;
    return MMOOD_OK;
}

static mmood_status run_stop(machine *m, mmood_error *error) {
    (void)error;
    m->stopped = 1;
    return MMOOD_OK;
}

static int is_utf8(const uint8_t *text, size_t length) {
    utf8proc_int32_t c;
    while (length > 0) {
        utf8proc_ssize_t n = utf8proc_iterate(text, (utf8proc_ssize_t)length, &c);
        if (n < 1)
            return 0;
        text += n;
        length -= (size_t)n;
    }
    return 1;
}

static mmood_status run_text(machine *m, mmood_error *error) {
    const uint8_t *text = m->data + m->at;
    if (m->argument > MAX_TEXT)
        return mm_error_set(error, MMOOD_ERROR_LIMIT, "a text of %llu bytes; at most %d are read",
                            (unsigned long long)m->argument, (int)MAX_TEXT);
    size_t length = (size_t)m->argument;
    if (length > m->size - m->at)
        return mm_error_set(error, MMOOD_ERROR_FORMAT,
                            "a text of %zu bytes, but only %zu follow; the file is truncated",
                            length, m->size - m->at);
    if (!is_utf8(text, length))
        return mm_error_set(error, MMOOD_ERROR_FORMAT, "a text that is not UTF-8");
    m->at += length;
    return push(m,
                (mm_pickle_value){MM_PICKLE_TEXT, .length = length, .as.text = (const char *)text},
                error);
}

static mmood_status run_unsigned(machine *m, mmood_error *error) {
    return push_number(m, MM_PICKLE_INT, (int64_t)m->argument, error);
}

static mmood_status run_signed(machine *m, mmood_error *error) {
    int64_t number = (int64_t)m->argument;
    return push_number(m, MM_PICKLE_INT, number >= 1LL << 31 ? number - (1LL << 32) : number,
                       error);
}

/* Two's complement in as many bytes as the argument says. */
static mmood_status run_long(machine *m, mmood_error *error) {
    size_t bytes = (size_t)m->argument;
    if (bytes > 8 || bytes > m->size - m->at)
        return mm_error_set(error, MMOOD_ERROR_LIMIT, "an int of %zu bytes; at most 8 are read",
                            bytes);
    uint64_t value = 0;
    for (size_t i = 0; i < 8; i++) {
        uint8_t sign = bytes && m->data[m->at + bytes - 1] & 0x80 ? 0xff : 0;
        value |= (uint64_t)(i < bytes ? m->data[m->at + i] : sign) << 8 * i;
    }
    m->at += bytes;
    return push_number(m, MM_PICKLE_INT, (int64_t)value, error);
}

static mmood_status run_float(machine *m, mmood_error *error) {
    return push_number(m, MM_PICKLE_FLOAT, 0, error);
}

static mmood_status run_none(machine *m, mmood_error *error) {
    return push_number(m, MM_PICKLE_NONE, 0, error);
}

static mmood_status run_bool(machine *m, mmood_error *error) {
    return push_number(m, MM_PICKLE_BOOL, m->code == 0x88, error);
}

static mmood_status run_mark(machine *m, mmood_error *error) {
    return push_number(m, MM_PICKLE_MARK, 0, error);
}

static mmood_status run_empty(machine *m, mmood_error *error) {
    mm_pickle_value made = {0};
    mm_pickle_kind kind = m->code == ')'   ? MM_PICKLE_TUPLE
                          : m->code == ']' ? MM_PICKLE_LIST
                                           : MM_PICKLE_DICT;
    mmood_status status = mm_pickle_container(m->p, &made, kind, error);
    return status == MMOOD_OK ? push(m, made, error) : status;
}

/* A tuple of all down to the mark, or of the topmost one to three values. */
static mmood_status run_tuple(machine *m, mmood_error *error) {
    mm_pickle_value made = {0};
    size_t count = m->code == 't' ? 0 : m->code - 0x84u;
    mmood_status status = MMOOD_OK;
    if (m->code == 't')
        status = above_mark(&count, m, error);
    else if (count > m->p->stack.count)
        status = mm_error_set(error, MMOOD_ERROR_FORMAT, "the stack has only %zu values",
                              m->p->stack.count);
    if (status == MMOOD_OK)
        status = mm_pickle_container(m->p, &made, MM_PICKLE_TUPLE, error);
    if (status == MMOOD_OK)
        status = fill(m, made.as.index, count, error);
    if (status == MMOOD_OK && m->code == 't')
        m->p->stack.count--;
    return status == MMOOD_OK ? push(m, made, error) : status;
}

/* Adds values, which are on top of a list or dict: one, a pair, or all down to the mark. */
static mmood_status run_add(machine *m, mmood_error *error) {
    mm_pickle_list *stack = &m->p->stack;
    int dict = m->code == 's' || m->code == 'u', marked = m->code == 'u' || m->code == 'e';
    mm_pickle_kind kind = dict ? MM_PICKLE_DICT : MM_PICKLE_LIST;
    size_t count = dict ? 2 : 1;
    mmood_status status = marked ? above_mark(&count, m, error) : MMOOD_OK;
    if (status != MMOOD_OK)
        return status;
    if (dict && count % 2)
        return mm_error_set(error, MMOOD_ERROR_FORMAT, "a key of a dict without a value");
    size_t below = count + (size_t)marked + 1;
    const mm_pickle_value *to = below <= stack->count ? stack->items + stack->count - below : NULL;
    if (!to || to->kind != kind)
        return mm_error_set(error, MMOOD_ERROR_FORMAT, "values for %s are added to %s",
                            mm_pickle_kind_name(kind),
                            to ? mm_pickle_kind_name(to->kind) : "nothing");
    status = fill(m, to->as.index, count, error);
    if (status == MMOOD_OK)
        stack->count -= (size_t)marked;
    return status;
}

/* Remembers the topmost value under a number. */
static mmood_status put(machine *m, size_t index, mmood_error *error) {
    mm_pickle_list *memo = &m->p->memo, *stack = &m->p->stack;
    if (stack->count == 0 || stack->items[stack->count - 1].kind == MM_PICKLE_MARK)
        return mm_error_set(error, MMOOD_ERROR_FORMAT, "the stack has no value to remember");
    if (index > memo->count)
        return mm_error_set(error, MMOOD_ERROR_FORMAT,
                            "value %zu is remembered before value %zu; pickles count from 0", index,
                            memo->count);
    mm_pickle_value value = stack->items[stack->count - 1];
    if (index == memo->count)
        return list_add(memo, value, error);
    memo->items[index] = value;
    return MMOOD_OK;
}

static mmood_status run_put(machine *m, mmood_error *error) {
    return put(m, (size_t)m->argument, error);
}

static mmood_status run_memoize(machine *m, mmood_error *error) {
    return put(m, m->p->memo.count, error);
}

static mmood_status run_get(machine *m, mmood_error *error) {
    const mm_pickle_list *memo = &m->p->memo;
    if (m->argument >= memo->count)
        return mm_error_set(error, MMOOD_ERROR_FORMAT,
                            "value %zu is asked for; only %zu were remembered", (size_t)m->argument,
                            memo->count);
    return push(m, memo->items[m->argument], error);
}

static mmood_status take_line(const char **out, size_t *length, machine *m, mmood_error *error) {
    const uint8_t *line = m->data + m->at;
    size_t left = m->size - m->at;
    const uint8_t *end = memchr(line, '\n', left < MAX_NAME ? left : MAX_NAME);
    if (!end)
        return mm_error_set(error, MMOOD_ERROR_FORMAT,
                            "a name without an end; names have at most %d bytes",
                            (int)MAX_NAME - 1);
    *out = (const char *)line;
    *length = (size_t)(end - line);
    m->at += *length + 1;
    return MMOOD_OK;
}

static mmood_status run_global(machine *m, mmood_error *error) {
    const char *module = NULL, *name = NULL;
    size_t module_length = 0, name_length = 0;
    mm_pickle_value value = {0};
    mmood_status status = take_line(&module, &module_length, m, error);
    if (status == MMOOD_OK)
        status = take_line(&name, &name_length, m, error);
    if (status == MMOOD_OK)
        status = mm_torch_global(&value, module, module_length, name, name_length, error);
    return status == MMOOD_OK ? push(m, value, error) : status;
}

static mmood_status run_stack_global(machine *m, mmood_error *error) {
    mm_pickle_value name = {0}, module = {0}, value = {0};
    mmood_status status = pop(&name, m, error);
    if (status == MMOOD_OK)
        status = pop(&module, m, error);
    if (status == MMOOD_OK && (name.kind != MM_PICKLE_TEXT || module.kind != MM_PICKLE_TEXT))
        status = mm_error_set(error, MMOOD_ERROR_FORMAT, "a name is %s of %s, expected texts",
                              mm_pickle_kind_name(name.kind), mm_pickle_kind_name(module.kind));
    if (status == MMOOD_OK)
        status = mm_torch_global(&value, module.as.text, module.length, name.as.text, name.length,
                                 error);
    return status == MMOOD_OK ? push(m, value, error) : status;
}

static mmood_status run_persistent(machine *m, mmood_error *error) {
    mm_pickle_value id = {0}, value = {0};
    mmood_status status = pop(&id, m, error);
    if (status == MMOOD_OK)
        status = mm_torch_persistent(m->p, &value, id, error);
    return status == MMOOD_OK ? push(m, value, error) : status;
}

static mmood_status run_reduce(machine *m, mmood_error *error) {
    mm_pickle_value arguments = {0}, function = {0}, value = {0};
    mmood_status status = pop(&arguments, m, error);
    if (status == MMOOD_OK)
        status = pop(&function, m, error);
    if (status == MMOOD_OK)
        status = mm_torch_call(m->p, &value, function, arguments, error);
    return status == MMOOD_OK ? push(m, value, error) : status;
}

/* Attributes of a dict, such as a state dict's _metadata, are of no use. */
static mmood_status run_build(machine *m, mmood_error *error) {
    mm_pickle_value attributes, *object;
    mmood_status status = pop(&attributes, m, error);
    return status == MMOOD_OK ? top(&object, m, MM_PICKLE_DICT, error) : status;
}

typedef struct opcode {
    const char *name;
    size_t bytes;                                  /* of the number after it */
    mmood_status (*run)(machine *, mmood_error *); /* NULL: refused */
} opcode;

static const opcode opcodes[256] = {
    [0x80] = {"PROTO", 1, run_protocol},
    [0x95] = {"FRAME", 8, run_frame},
    ['.'] = {"STOP", 0, run_stop},
    ['X'] = {"BINUNICODE", 4, run_text},
    [0x8c] = {"SHORT_BINUNICODE", 1, run_text},
    ['J'] = {"BININT", 4, run_signed},
    ['K'] = {"BININT1", 1, run_unsigned},
    ['M'] = {"BININT2", 2, run_unsigned},
    [0x8a] = {"LONG1", 1, run_long},
    ['G'] = {"BINFLOAT", 8, run_float},
    ['N'] = {"NONE", 0, run_none},
    [0x88] = {"NEWTRUE", 0, run_bool},
    [0x89] = {"NEWFALSE", 0, run_bool},
    ['('] = {"MARK", 0, run_mark},
    [')'] = {"EMPTY_TUPLE", 0, run_empty},
    [']'] = {"EMPTY_LIST", 0, run_empty},
    ['}'] = {"EMPTY_DICT", 0, run_empty},
    ['t'] = {"TUPLE", 0, run_tuple},
    [0x85] = {"TUPLE1", 0, run_tuple},
    [0x86] = {"TUPLE2", 0, run_tuple},
    [0x87] = {"TUPLE3", 0, run_tuple},
    ['a'] = {"APPEND", 0, run_add},
    ['e'] = {"APPENDS", 0, run_add},
    ['s'] = {"SETITEM", 0, run_add},
    ['u'] = {"SETITEMS", 0, run_add},
    ['q'] = {"BINPUT", 1, run_put},
    ['r'] = {"LONG_BINPUT", 4, run_put},
    [0x94] = {"MEMOIZE", 0, run_memoize},
    ['h'] = {"BINGET", 1, run_get},
    ['j'] = {"LONG_BINGET", 4, run_get},
    ['c'] = {"GLOBAL", 0, run_global},
    [0x93] = {"STACK_GLOBAL", 0, run_stack_global},
    ['Q'] = {"BINPERSID", 0, run_persistent},
    ['R'] = {"REDUCE", 0, run_reduce},
    ['b'] = {"BUILD", 0, run_build},
    /* Refused by name. */
    ['i'] = {.name = "INST"},
    ['o'] = {.name = "OBJ"},
    [0x81] = {.name = "NEWOBJ"},
    [0x92] = {.name = "NEWOBJ_EX"},
    [0x82] = {.name = "EXT1"},
    [0x83] = {.name = "EXT2"},
    [0x84] = {.name = "EXT4"},
    ['P'] = {.name = "PERSID"},
    ['0'] = {.name = "POP"},
    ['1'] = {.name = "POP_MARK"},
    ['2'] = {.name = "DUP"},
    ['I'] = {.name = "INT"},
    ['L'] = {.name = "LONG"},
    [0x8b] = {.name = "LONG4"},
    ['F'] = {.name = "FLOAT"},
    ['S'] = {.name = "STRING"},
    ['T'] = {.name = "BINSTRING"},
    ['U'] = {.name = "SHORT_BINSTRING"},
    ['V'] = {.name = "UNICODE"},
    [0x8d] = {.name = "BINUNICODE8"},
    ['B'] = {.name = "BINBYTES"},
    ['C'] = {.name = "SHORT_BINBYTES"},
    [0x8e] = {.name = "BINBYTES8"},
    [0x96] = {.name = "BYTEARRAY8"},
    [0x97] = {.name = "NEXT_BUFFER"},
    [0x98] = {.name = "READONLY_BUFFER"},
    ['l'] = {.name = "LIST"},
    ['d'] = {.name = "DICT"},
    [0x8f] = {.name = "EMPTY_SET"},
    [0x90] = {.name = "ADDITEMS"},
    [0x91] = {.name = "FROZENSET"},
    ['p'] = {.name = "PUT"},
    ['g'] = {.name = "GET"},
};

static mmood_status step(machine *m, mmood_error *error) {
    m->code = m->data[m->at++];
    const opcode *op = &opcodes[m->code];
    if (!op->run)
        return mm_error_set(error, MMOOD_ERROR_UNSUPPORTED,
                            "the opcode %s (0x%02x) is not one that a state dict needs, so it is "
                            "refused; nothing was run. Use the model's safetensors, or, if you "
                            "trust the file, load it in PyTorch and save its state dict again "
                            "with torch.save",
                            op->name ? op->name : "without a name", (unsigned)m->code);
    if (op->bytes > m->size - m->at)
        return mm_error_set(error, MMOOD_ERROR_FORMAT,
                            "the pickle ends within %s; the file is truncated", op->name);
    m->argument = 0;
    for (size_t i = 0; i < op->bytes; i++)
        m->argument |= (uint64_t)m->data[m->at + i] << 8 * i;
    m->at += op->bytes;
    return op->run(m, error);
}

/* Says where a failure is, and at which tensor: its name is on the stack before what makes it. */
static mmood_status locate(const machine *m, size_t at, mmood_status status, mmood_error *error) {
    const mm_pickle_list *stack = &m->p->stack;
    size_t top = stack->count;
    while (top > 0 && (stack->items[top - 1].kind == MM_PICKLE_GLOBAL ||
                       stack->items[top - 1].kind == MM_PICKLE_MARK))
        top--;
    if ((m->code == 'Q' || m->code == 'R') && top > 0 &&
        stack->items[top - 1].kind == MM_PICKLE_TEXT)
        return mm_error_prefix(error, status, "byte %zu, \"%.*s\"", at,
                               (int)stack->items[top - 1].length, stack->items[top - 1].as.text);
    return mm_error_prefix(error, status, "byte %zu", at);
}

mmood_status mm_pickle_read(mm_pickle *p, mm_pickle_value *result, const uint8_t *data, size_t size,
                            mmood_error *error) {
    machine m = {.p = p, .data = data, .size = size};
    if (size > MAX_PICKLE)
        return mm_error_set(error, MMOOD_ERROR_LIMIT,
                            "has %zu bytes; at most %d are read, and a state dict takes far fewer",
                            size, (int)MAX_PICKLE);
    while (!m.stopped && m.at < size) {
        size_t at = m.at;
        mmood_status status = step(&m, error);
        if (status != MMOOD_OK)
            return locate(&m, at, status, error);
    }
    if (!m.stopped || m.at != size)
        return mm_error_set(error, MMOOD_ERROR_FORMAT,
                            m.stopped ? "STOP is at byte %zu of %zu, expected at the end"
                                      : "STOP is missing after %zu of %zu bytes",
                            m.at, size);
    if (p->stack.count != 1 || p->stack.items[0].kind == MM_PICKLE_MARK)
        return mm_error_set(error, MMOOD_ERROR_FORMAT,
                            "the stack has %zu values at the end, expected one, the state dict",
                            p->stack.count);
    *result = p->stack.items[0];
    return MMOOD_OK;
}

void mm_pickle_free(mm_pickle *p) {
    for (size_t i = 0; i < p->container_count; i++)
        free(p->containers[i].items);
    free(p->containers);
    free(p->stack.items);
    free(p->memo.items);
    free(p->storages);
    free(p->tensors);
    *p = (mm_pickle){0};
}
