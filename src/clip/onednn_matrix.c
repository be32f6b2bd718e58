/* onednn_matrix.c - weights in the layout that oneDNN likes: packed from plain ones, or taken as
 * they were stored. */
#include "clip/onednn_internal.h"

#include "base/error.h"
#include "base/file.h"

#include <string.h>

/* Asks oneDNN for the layout it likes best for a matrix of this shape. It is the same for every
 * number of rows; 128 stands for them. */
static dnnl_status_t choose_layout(mm_desc *out, dnnl_engine_t engine, size_t inputs,
                                   size_t outputs, mmood_precision precision) {
    const size_t rows = 128;
    mm_desc src = {0}, weights = {0}, dst = {0};
    dnnl_primitive_desc_t primitive = NULL;
    dnnl_primitive_attr_t attr = NULL;
    dnnl_status_t status = desc_init(&src, rows, inputs, input_type(precision), dnnl_ab);
    if (!status)
        status = desc_init(&weights, inputs, outputs, weight_type(precision), dnnl_format_tag_any);
    if (!status)
        status = desc_init(&dst, rows, outputs,
                           precision == MMOOD_PRECISION_INT8 ? dnnl_s32 : dnnl_f32, dnnl_ab);
    if (!status)
        status = dnnl_primitive_attr_create(&attr);
    if (!status)
        status = dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user);
    if (!status)
        status = matmul_desc(&primitive, engine, &src, &weights, NULL, &dst, attr);
    if (!status)
        status = desc_copy(out, dnnl_primitive_desc_query_md(primitive, dnnl_query_weights_md, 0));
    if (primitive)
        dnnl_primitive_desc_destroy(primitive);
    if (attr)
        dnnl_primitive_attr_destroy(attr);
    desc_free(&src);
    desc_free(&weights);
    desc_free(&dst);
    return status;
}

/* Converts and reorders row-major [outputs, inputs], f32 or 8 bits for INT8, into the packed
 * layout.
 */
static dnnl_status_t reorder(mm_matrix *matrix, dnnl_engine_t engine, const void *weights) {
    /* As oneDNN sees it the matrix is [inputs, outputs] with the first index running fastest. */
    mm_desc plain = {0};
    dnnl_memory_t from = NULL;
    dnnl_stream_t stream = NULL;
    dnnl_primitive_desc_t desc = NULL;
    dnnl_primitive_t primitive = NULL;
    union {
        const void *in;
        void *handle; /* only read, but the API has no const */
    } source = {weights};
    dnnl_status_t status =
        desc_init(&plain, matrix->inputs, matrix->outputs,
                  matrix->precision == MMOOD_PRECISION_INT8 ? dnnl_s8 : dnnl_f32, dnnl_ba);
    if (!status)
        status = dnnl_memory_create(&from, MM_DESC_REF(plain), engine, source.handle);
    if (!status)
        status = dnnl_stream_create(&stream, engine, dnnl_stream_default_flags);
    if (!status)
        status = dnnl_reorder_primitive_desc_create(&desc, MM_DESC_REF(plain), engine,
                                                    MM_DESC_REF(matrix->desc), engine, NULL);
    if (!status)
        status = dnnl_primitive_create(&primitive, desc);
    if (!status) {
        dnnl_exec_arg_t arguments[2] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, matrix->weights}};
        status = dnnl_primitive_execute(primitive, stream, 2, arguments);
    }
    if (!status)
        status = dnnl_stream_wait(stream);
    if (primitive)
        dnnl_primitive_destroy(primitive);
    if (desc)
        dnnl_primitive_desc_destroy(desc);
    if (stream)
        dnnl_stream_destroy(stream);
    if (from)
        dnnl_memory_destroy(from);
    desc_free(&plain);
    return status;
}

/* Sets `panels` and `panel_size`. Where rows are grouped, a last panel of a few outputs might add
 * otherwise than among all. */
static void find_panels(mm_matrix *matrix) {
    static const struct {
        mmood_precision precision;
        dnnl_format_tag_t tag;
        int count;
        dnnl_dim_t blocks[3], order[3];
    } known[] = {
        {MMOOD_PRECISION_F32, dnnl_BA16a64b, 2, {16, MM_PANEL}, {0, 1}},
        {MMOOD_PRECISION_BF16, dnnl_BA16a64b2a, 3, {16, MM_PANEL, 2}, {0, 1, 0}},
        {MMOOD_PRECISION_INT8, dnnl_BA16a64b4a, 3, {16, MM_PANEL, 4}, {0, 1, 0}},
    };
    mm_layout layout = {0};
    desc_layout(&layout, MM_DESC_REF(matrix->desc));
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        size_t size = (size_t)known[i].count * sizeof *known[i].blocks;
        if (known[i].precision == matrix->precision && layout.count == known[i].count &&
            memcmp(layout.blocks, known[i].blocks, size) == 0 &&
            memcmp(layout.order, known[i].order, size) == 0 &&
            layout.strides[1] == MM_PANEL * layout.padded[0] &&
            (!matrix->grouping.step || matrix->outputs % MM_PANEL == 0)) {
            matrix->panels = known[i].tag;
            matrix->panel_size =
                (size_t)layout.strides[1] * dnnl_data_type_size(weight_type(matrix->precision));
        }
    }
}

/* What all matrices begin with: sizes, and the layout of the weights. */
static mmood_status matrix_create(mm_matrix **out, const mm_engine *engine, size_t inputs,
                                  size_t outputs, mmood_precision precision, mmood_error *error) {
    mm_matrix *matrix = calloc(1, sizeof *matrix);
    if (!matrix)
        return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for a weight matrix");
    matrix->inputs = inputs;
    matrix->outputs = outputs;
    matrix->precision = precision;
    matrix->grouping = mm_engine_grouping(precision, inputs, outputs);
    /* In f32 blocks are so short that oneDNN reads the weights where they lie; rows that are no
       power of two apart keep out of each other's place in the cache, for up to twice the speed. */
    int plain = matrix->grouping.step && precision == MMOOD_PRECISION_F32;
    dnnl_status_t status =
        plain ? desc_init_strides(&matrix->desc, inputs, outputs, outputs / 16 * 16 + 32)
              : choose_layout(&matrix->desc, engine->engine, inputs, outputs, precision);
    if (status) {
        mm_matrix_free(matrix);
        return mm_dnnl_error(error, status, "multiply in this precision");
    }
    find_panels(matrix);
    if (matrix->grouping.by_panel && matrix->panel_size == 0) /* blocks of one size add alike */
        matrix->grouping = (mm_grouping){matrix->grouping.step, matrix->grouping.step, 0};
    *out = matrix;
    return MMOOD_OK;
}

/* How many bytes a section has, if it is there at all: all but the weights are 4 bytes an output.
 */
static size_t section_size(const mm_matrix *matrix, mm_section section) {
    return section == MM_SECTION_WEIGHTS ? dnnl_memory_desc_get_size(MM_DESC_REF(matrix->desc))
                                         : matrix->outputs * sizeof(float);
}

/* Takes the sections into use. */
static dnnl_status_t bind_sections(mm_matrix *matrix, dnnl_engine_t engine) {
    union {
        const void *in;
        void *handle; /* weights are only read in a product, but the API has no const */
    } weights = {matrix->sections[MM_SECTION_WEIGHTS].data};
    matrix->bias = matrix->sections[MM_SECTION_BIAS].data;
    return dnnl_memory_create(&matrix->weights, MM_DESC_REF(matrix->desc), engine, weights.handle);
}

/* Makes a matrix of `sources`: plain weights, and what is copied as it is (NULL: not there). */
static mmood_status pack(mm_matrix **out, const mm_engine *engine,
                         const void *const sources[MM_SECTION_COUNT], size_t inputs, size_t outputs,
                         mmood_precision precision, mmood_error *error) {
    *out = NULL;
    mm_matrix *matrix = NULL;
    mmood_status created = matrix_create(&matrix, engine, inputs, outputs, precision, error);
    if (created != MMOOD_OK)
        return created;
    for (int i = 0; i < MM_SECTION_COUNT; i++) {
        if (!sources[i])
            continue;
        size_t size = section_size(matrix, (mm_section)i);
        matrix->owned[i] = mm_pages_take(size + MM_ALIGN);
        if (!matrix->owned[i]) {
            mm_matrix_free(matrix);
            return mm_error_set(error, MMOOD_ERROR_MEMORY, "no memory for %zu x %zu weights",
                                outputs, inputs);
        }
        matrix->sections[i] = (mm_bytes){matrix->owned[i], size};
        if (i != MM_SECTION_WEIGHTS)
            memcpy(matrix->owned[i], sources[i], size);
    }
    dnnl_status_t status = bind_sections(matrix, engine->engine);
    if (!status)
        status = reorder(matrix, engine->engine, sources[MM_SECTION_WEIGHTS]);
    if (status) {
        mm_matrix_free(matrix);
        return mm_dnnl_error(error, status, "pack weights");
    }
    *out = matrix;
    return MMOOD_OK;
}

mmood_status mm_matrix_pack(mm_matrix **out, const mm_engine *engine, const float *weights,
                            const float *bias, size_t inputs, size_t outputs,
                            mmood_precision precision, mmood_error *error) {
    const void *sources[MM_SECTION_COUNT] = {
        [MM_SECTION_WEIGHTS] = weights, [MM_SECTION_BIAS] = bias};
    return pack(out, engine, sources, inputs, outputs, precision, error);
}

mmood_status mm_matrix_pack_int8(mm_matrix **out, const mm_engine *engine,
                                 const mm_matrix_int8 *parts, size_t inputs, size_t outputs,
                                 mmood_error *error) {
    const void *sources[MM_SECTION_COUNT] = {[MM_SECTION_WEIGHTS] = parts->weights,
                                             [MM_SECTION_BIAS] = parts->bias,
                                             [MM_SECTION_SCALES] = parts->scales,
                                             [MM_SECTION_OFFSETS] = parts->offsets};
    return pack(out, engine, sources, inputs, outputs, MMOOD_PRECISION_INT8, error);
}

/* FNV-1a, 64 bits, over numbers. */
static uint64_t mix(uint64_t hash, int64_t number) {
    for (int i = 0; i < 8; i++)
        hash = (hash ^ ((uint64_t)number >> 8 * i & 255)) * 0x100000001b3u;
    return hash;
}

static uint64_t layout_hash(mm_desc_ref desc) {
    mm_layout layout = {0};
    desc_layout(&layout, desc);
    uint64_t hash = mix(mix(0xcbf29ce484222325u, layout.kind), layout.type);
    for (int i = 0; i < 2 && layout.strides && layout.padded; i++)
        hash = mix(mix(hash, layout.strides[i]), layout.padded[i]);
    for (int i = 0; i < layout.count && layout.blocks && layout.order; i++)
        hash = mix(mix(hash, layout.blocks[i]), layout.order[i]);
    return mix(hash, (int64_t)dnnl_memory_desc_get_size(desc));
}

void mm_matrix_describe(mm_matrix_image *out, const mm_matrix *matrix) {
    *out = (mm_matrix_image){.inputs = matrix->inputs,
                             .outputs = matrix->outputs,
                             .precision = matrix->precision,
                             .layout = layout_hash(MM_DESC_REF(matrix->desc))};
    memcpy(out->sections, matrix->sections, sizeof out->sections);
}

static int is_needed(const mm_matrix *matrix, mm_section section) {
    return section == MM_SECTION_WEIGHTS ||
           (section != MM_SECTION_BIAS && matrix->precision == MMOOD_PRECISION_INT8);
}

mmood_status mm_matrix_view(mm_matrix **out, const mm_engine *engine, const mm_matrix_image *image,
                            mmood_error *error) {
    *out = NULL;
    mm_matrix *matrix = NULL;
    mmood_status created =
        matrix_create(&matrix, engine, image->inputs, image->outputs, image->precision, error);
    if (created != MMOOD_OK)
        return created;
    int fits = layout_hash(MM_DESC_REF(matrix->desc)) == image->layout;
    for (int i = 0; fits && i < MM_SECTION_COUNT; i++) {
        const mm_bytes *bytes = &image->sections[i];
        size_t size = section_size(matrix, (mm_section)i);
        fits = (bytes->size == size || (bytes->size == 0 && !is_needed(matrix, (mm_section)i))) &&
               (uintptr_t)bytes->data % MM_ALIGN == 0;
        if (fits && bytes->size)
            matrix->sections[i] = *bytes;
    }
    if (!fits) {
        mm_matrix_free(matrix);
        return mm_error_set(error, MMOOD_ERROR_MISMATCH,
                            "packed weights of %zu x %zu are not laid out as oneDNN does here",
                            image->outputs, image->inputs);
    }
    dnnl_status_t status = bind_sections(matrix, engine->engine);
    if (status) {
        mm_matrix_free(matrix);
        return mm_dnnl_error(error, status, "take packed weights");
    }
    *out = matrix;
    return MMOOD_OK;
}

mmood_precision mm_matrix_precision(const mm_matrix *matrix) {
    return matrix->precision;
}

size_t mm_matrix_inputs(const mm_matrix *matrix) {
    return matrix->inputs;
}

size_t mm_matrix_outputs(const mm_matrix *matrix) {
    return matrix->outputs;
}

size_t mm_matrix_panels(const mm_matrix *matrix) {
    size_t panels = matrix->outputs / MM_PANEL;
    return matrix->panel_size == 0 || panels < 1 ? 1 : panels;
}

mm_outputs mm_matrix_share(const mm_matrix *matrix, size_t first, size_t last) {
    size_t panels = mm_matrix_panels(matrix);
    return (mm_outputs){first * MM_PANEL, last == panels ? matrix->outputs : last * MM_PANEL};
}

const void *mm_matrix_section(const mm_matrix *matrix, mm_section section) {
    return matrix->sections[section].data;
}

size_t mm_matrix_bytes(const mm_matrix *matrix) {
    size_t bytes = 0;
    for (int i = 0; i < MM_SECTION_COUNT; i++)
        bytes += matrix->sections[i].size;
    return bytes;
}

void mm_matrix_free(mm_matrix *matrix) {
    if (!matrix)
        return;
    if (matrix->weights)
        dnnl_memory_destroy(matrix->weights);
    desc_free(&matrix->desc);
    for (int i = 0; i < MM_SECTION_COUNT; i++)
        mm_pages_give(matrix->owned[i], matrix->sections[i].size + MM_ALIGN);
    free(matrix);
}
