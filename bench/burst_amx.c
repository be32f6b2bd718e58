/* burst_amx.c - products of tiles in registers (AMX's tdpbf16ps and tdpbssd). */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* syscall */
#endif
#include "peak.h"

#include <immintrin.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { ROUNDS = 10000, CHAINS = 6, ROWS = 16, ROW_BYTES = 64 };

/* Linux gives tiles to a process that asks for them. */
int bench_amx_allowed(void) {
    enum { REQUEST = 0x1023, TILES = 18 }; /* ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA */
    return syscall(SYS_arch_prctl, REQUEST, TILES) == 0;
}

/* Eight tiles of 16 rows of 64 bytes: sums in 0 to 5, zeros, which take as long as others, in all.
 */
static void begin(void) {
    struct {
        unsigned char palette, start, reserved[14];
        unsigned short row_bytes[16];
        unsigned char rows[16];
    } shape;
    memset(&shape, 0, sizeof shape);
    shape.palette = 1;
    for (int t = 0; t < CHAINS + 2; t++) {
        shape.row_bytes[t] = ROW_BYTES;
        shape.rows[t] = ROWS;
    }
    __asm__ volatile(""
                     :
                     : "r"(&shape)
                     : "memory"); /* gcc 12 takes only the first 8 bytes as read */
    _tile_loadconfig(&shape);     /* tiles begin as zeros */
}

double bench_burst_amx_bf16(void) {
    begin();
    for (int i = 0; i < ROUNDS; i++) {
        _tile_dpbf16ps(0, 6, 7);
        _tile_dpbf16ps(1, 6, 7);
        _tile_dpbf16ps(2, 6, 7);
        _tile_dpbf16ps(3, 6, 7);
        _tile_dpbf16ps(4, 6, 7);
        _tile_dpbf16ps(5, 6, 7);
    }
    _tile_release();
    return 2.0 * ROUNDS * CHAINS * ROWS * (ROW_BYTES / 4) * (ROW_BYTES / 2);
}

double bench_burst_amx_int8(void) {
    begin();
    for (int i = 0; i < ROUNDS; i++) {
        _tile_dpbssd(0, 6, 7);
        _tile_dpbssd(1, 6, 7);
        _tile_dpbssd(2, 6, 7);
        _tile_dpbssd(3, 6, 7);
        _tile_dpbssd(4, 6, 7);
        _tile_dpbssd(5, 6, 7);
    }
    _tile_release();
    return 2.0 * ROUNDS * CHAINS * ROWS * (ROW_BYTES / 4) * ROW_BYTES;
}
