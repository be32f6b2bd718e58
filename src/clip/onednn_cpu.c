/* onednn_cpu.c - what oneDNN uses of this CPU. */
#include "clip/onednn_internal.h"

/* The values are sets of instruction sets, so a bit test holds for later ones too. They are x86's;
 * on other CPUs none is there. */
static int has_isa(dnnl_cpu_isa_t wanted) {
#if defined(__x86_64__)
    unsigned isa = (unsigned)dnnl_get_effective_cpu_isa(), need = (unsigned)wanted;
    return (isa & need) == need;
#else
    (void)wanted;
    return 0;
#endif
}

mm_level mm_engine_level(void) {
    return has_isa(dnnl_cpu_isa_avx512_core_bf16) ? MM_LEVEL_AVX512_BF16
           : has_isa(dnnl_cpu_isa_avx512_core)    ? MM_LEVEL_AVX512
           : has_isa(dnnl_cpu_isa_avx2)           ? MM_LEVEL_AVX2
                                                  : MM_LEVEL_BASE;
}

const char *mm_engine_instructions(void) {
    static const struct {
        dnnl_cpu_isa_t isa;
        const char *name;
    } names[] = {{dnnl_cpu_isa_avx512_core_amx, "AMX"},
                 {dnnl_cpu_isa_avx512_core_bf16, "AVX-512 with bf16"},
                 {dnnl_cpu_isa_avx512_core_vnni, "AVX-512 with VNNI"},
                 {dnnl_cpu_isa_avx512_core, "AVX-512"},
                 {dnnl_cpu_isa_avx2_vnni, "AVX2 with VNNI"},
                 {dnnl_cpu_isa_avx2, "AVX2"},
                 {dnnl_cpu_isa_avx, "AVX"},
                 {dnnl_cpu_isa_sse41, "SSE4.1"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (has_isa(names[i].isa))
            return names[i].name;
#if defined(__aarch64__)
    return "Armv8 NEON";
#else
    return "those of every CPU of its kind";
#endif
}

int mm_engine_has_bf16(void) {
    return mm_engine_level() == MM_LEVEL_AVX512_BF16;
}

int mm_engine_has_fast_bf16(void) {
#if defined(__x86_64__)
    return mm_engine_has_bf16() &&
           (has_isa(dnnl_cpu_isa_avx512_core_amx) || !__builtin_cpu_is("intel"));
#else
    return 0;
#endif
}

int mm_engine_has_int8(void) {
    return has_isa(dnnl_cpu_isa_avx512_core_vnni);
}

int mm_engine_is_exact(void) {
    /* 3.x picks kernels by the number of rows, and they add in different orders (seen in 3.7.2). */
    return DNNL_VERSION_MAJOR < 3;
}

/* With AMX, oneDNN 2.6 picks its kernels in bf16 by the numbers of rows and outputs. What is said
 * here to add alike was tried in all shapes of CLIP's towers from B to H
 * (tests/clip/test_onednn.c); many inputs are also faster by panels. */
static mm_grouping amx_grouping(size_t inputs, size_t outputs) {
    if (outputs % MM_PANEL != 0) /* few outputs, as in a last panel, go without AMX at few rows */
        return (mm_grouping){64, 64, 0};
    if (inputs > 1280)
        return (mm_grouping){64, 192, 1};
    return (mm_grouping){16, inputs > 768 ? 192 : 2048, 0};
}

mm_grouping mm_engine_grouping(mmood_precision precision, size_t inputs, size_t outputs) {
    mm_grouping none = {0, 0, 0};
    if (DNNL_VERSION_MAJOR >= 3)
        return none;
    if (precision == MMOOD_PRECISION_BF16 && has_isa(dnnl_cpu_isa_avx512_core_amx))
        return amx_grouping(inputs, outputs);
    /* Without AVX-512, oneDNN 2.x adds in an order that depends on the number of rows and on a
       row's place among them. Its AVX2 kernel takes 6 rows at a time; products of whole sixes, and
       not too many, all add alike. More rows at a time read the weights less often. */
    if (precision == MMOOD_PRECISION_F32 && mm_engine_level() < MM_LEVEL_AVX512)
        return (mm_grouping){6, 48, 0};
    return none;
}
