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

int mm_engine_has_int8(void) {
    return has_isa(dnnl_cpu_isa_avx512_core_vnni);
}

int mm_engine_is_exact(int bf16) {
    /* 3.x picks kernels by the number of rows, and they add in different orders (seen in 3.7.2); so
       does 2.6 in bf16 where the CPU has AMX. */
    return DNNL_VERSION_MAJOR < 3 && !(bf16 && has_isa(dnnl_cpu_isa_avx512_core_amx));
}

int mm_engine_needs_blocks(void) {
    return DNNL_VERSION_MAJOR < 3 && mm_engine_level() < MM_LEVEL_AVX512;
}
