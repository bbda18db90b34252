/* native.cl — all embedded kernels that CPUs use, as one program: building one costs a start 30 ms, even from a cache.
 * -D: VW vector width. */

/* HIGH and LOW rows of a register tile, TILES of them and PANELS a block at most, DEPTH steps at once; BLOCK_TILES and
 * BLOCK_DEPTH likewise of winograd.cl. native_gemm.c and native_winograd.c count with the same. */
#if VW == 16
#define HIGH 12
#define LOW 4
#define TILES 8
#define PANELS 8
#define DEPTH 256
#define BLOCK_TILES 16
#define BLOCK_DEPTH 256
#elif VW == 8
#define HIGH 6
#define LOW 4
#define TILES 8
#define PANELS 8
#define DEPTH 256
#define BLOCK_TILES 8
#define BLOCK_DEPTH 128
#else
#define HIGH 8
#define LOW 4
#define TILES 2
#define PANELS 1
#define DEPTH 32
#define BLOCK_TILES 8
#define BLOCK_DEPTH 64
#endif

#include "tile.cl"
#include "pack.cl"
#include "rows.cl"
#include "few.cl"

#define ROWS HIGH
#include "gemm.cl"
#undef ROWS
#define ROWS LOW
#include "gemm.cl"
#undef ROWS

#define ROWS 8
#define R 2
#include "winograd.cl"
#undef R
#define R 3
#include "winograd.cl"

#define LANES 16
#include "movement.cl"
#include "random.cl"
#include "resample.cl"
