/* The two random streams: published vectors, NumPy's numbers, and the shape of the distributions. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "latentwalk/random.h"
#include "random/philox_internal.h"

static const lw_stream stream = {.seed = 0x123456789abcdef0u, .step = 7, .purpose = 11};

/* --- Philox ---------------------------------------------------------------------------------- */

static void philox_gives_the_published_vectors(void **state)
{
    (void)state;
    static const struct {
        uint32_t counter[4], key[2], out[4];
    } rows[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < 3; i++) {
        uint32_t out[4];
        lw_philox(rows[i].counter, rows[i].key, out);
        assert_memory_equal(out, rows[i].out, sizeof out);
    }
}

static void a_number_depends_on_its_index_alone(void **state)
{
    (void)state;
    float all[41], part[41];
    lw_normal(stream, 0, 41, all);
    for (uint64_t first = 0; first < 41; first += 3) {
        lw_normal(stream, first, 41 - first, part);
        assert_memory_equal(part, all + first, (41 - first) * sizeof(float));
    }
}

static void seed_step_and_purpose_each_change_the_numbers(void **state)
{
    (void)state;
    float base[4], other[4];
    lw_stream changed[] = {stream, stream, stream, stream, stream};
    changed[0].seed ^= 1;
    changed[1].seed ^= (uint64_t)1 << 63;
    changed[2].step ^= 1;
    changed[3].step ^= (uint64_t)1 << 40;
    changed[4].purpose ^= 1;
    lw_uniform(stream, 0, 4, base);
    for (int i = 0; i < 5; i++) {
        lw_uniform(changed[i], 0, 4, other);
        assert_memory_not_equal(base, other, sizeof base);
    }
}

static void indices_beyond_32_bits_go_on(void **state)
{
    (void)state;
    float low[4], high[4];
    lw_uniform(stream, 0, 4, low);
    lw_uniform(stream, (uint64_t)1 << 34, 4, high);
    assert_memory_not_equal(low, high, sizeof low);
}

static void a_word_is_counted_as_the_header_says(void **state)
{
    (void)state;
    uint32_t out[4];
    float value;
    uint64_t block = ((uint64_t)5 << 32) + 9;
    const uint32_t counter[4] = {9, 11, 7, 5}, key[2] = {0x9abcdef0u, 0x12345678u};
    lw_philox(counter, key, out);
    lw_uniform(stream, 4 * block + 2, 1, &value);
    assert_float_equal(value, (float)(out[2] >> 8) / 16777216.0f, 0);
}

static void uniform_numbers_fill_the_half_open_interval(void **state)
{
    (void)state;
    enum { MANY = 1 << 18 };
    float *x = malloc(MANY * sizeof *x);
    int bins[16] = {0};
    lw_uniform(stream, 0, MANY, x);
    for (int i = 0; i < MANY; i++) {
        assert_true(x[i] >= 0.0f && x[i] < 1.0f);
        bins[(int)(x[i] * 16)]++;
    }
    for (int i = 0; i < 16; i++)
        assert_true(abs(bins[i] - MANY / 16) < 5 * 124); /* five deviations of a bin's count */
    free(x);
    assert_float_equal(lwi_uniform_of_word(0xffffffffu), 1.0f - 0x1p-24f, 0);
}

static void normal_numbers_have_the_normal_moments(void **state)
{
    (void)state;
    enum { MANY = 1 << 20 };
    float *x = malloc(MANY * sizeof *x);
    double m[5] = {0};
    lw_normal(stream, 0, MANY, x);
    for (int i = 0; i < MANY; i++) {
        for (int k = 1; k <= 4; k++)
            m[k] += pow(x[i], k) / MANY;
    }
    free(x);
    double deviation = 1.0 / 1024; /* of a mean of MANY unit numbers */
    assert_true(fabs(m[1]) < 5 * deviation);
    assert_true(fabs(m[2] - 1) < 5 * sqrt(2) * deviation);
    assert_true(fabs(m[3]) < 5 * sqrt(15) * deviation);
    assert_true(fabs(m[4] - 3) < 5 * sqrt(96) * deviation);
}

/* The true quantile: Newton's method on erfc in double precision from our own value. */
static double true_quantile(uint32_t word)
{
    double u = ((double)word + 0.5) / 4294967296.0, tail = u < 0.5 ? u : 1.0 - u;
    double x = fabs((double)lwi_normal_of_word(word));
    for (int i = 0; i < 3; i++)
        x += (0.5 * erfc(x * M_SQRT1_2) - tail) / (exp(-0.5 * x * x) * 0.3989422804014327);
    return u < 0.5 ? -x : x;
}

static void normal_of_a_word_is_its_quantile(void **state)
{
    (void)state;
    double worst = 0;
    for (uint32_t i = 0; i < 1000; i++) { /* both ends, and the middle, word by word */
        const uint32_t words[] = {i, ~i, 0x80000000u + i, 0x7fffffffu - i};
        for (int k = 0; k < 4; k++)
            worst = fmax(worst, fabs(lwi_normal_of_word(words[k]) - true_quantile(words[k])));
    }
    for (uint64_t word = 0; word <= UINT32_MAX; word += 49999)
        worst = fmax(worst, fabs(lwi_normal_of_word((uint32_t)word) - true_quantile((uint32_t)word)));
    for (int bit = 0; bit < 31; bit++) { /* both sides of every seam between polynomials */
        for (int64_t near = -20; near <= 20; near++) {
            uint32_t word = (uint32_t)(((int64_t)1 << bit) + near);
            worst = fmax(worst, fabs(lwi_normal_of_word(word) - true_quantile(word)));
        }
    }
    assert_true(worst < 1e-6);
}

static void normal_numbers_are_symmetric_and_finite_at_the_ends(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 100000; i++)
        assert_float_equal(lwi_normal_of_word(i * 40503u), -lwi_normal_of_word(~(i * 40503u)), 0);
    assert_float_equal(lwi_normal_of_word(0), -6.338, 1e-3);
    assert_float_equal(lwi_normal_of_word(UINT32_MAX), 6.338, 1e-3);
}

static void purposes_hash_as_fnv1a(void **state)
{
    (void)state;
    assert_int_equal(lw_purpose(""), 0x811c9dc5u);
    assert_int_equal(lw_purpose("a"), 0xe40c292cu);
    assert_int_equal(lw_purpose("foobar"), 0xbf9cf968u);
}

static void shuffle_is_a_permutation_that_moves_things(void **state)
{
    (void)state;
    uint32_t order[1000];
    uint8_t seen[1000] = {0};
    int kept = 0;
    lw_shuffle(stream, 1000, order);
    for (uint32_t i = 0; i < 1000; i++) {
        assert_in_range(order[i], 0, 999);
        assert_int_equal(seen[order[i]]++, 0);
        kept += order[i] == i;
    }
    assert_true(kept < 10);
    lw_shuffle(stream, 0, order);
    lw_shuffle(stream, 1, order);
    assert_int_equal(order[0], 0);
}

static void shuffle_gives_every_order_equally_often(void **state)
{
    (void)state;
    enum { ROUNDS = 24000 };
    int count[64] = {0}, orders = 0;
    for (uint64_t step = 0; step < ROUNDS; step++) {
        uint32_t p[4];
        lw_shuffle((lw_stream){.seed = 1, .step = step}, 4, p);
        count[p[0] * 16 + p[1] * 4 + p[2]]++;
    }
    for (int i = 0; i < 64; i++) {
        if (count[i]) {
            orders++;
            assert_true(abs(count[i] - ROUNDS / 24) < 160); /* five deviations */
        }
    }
    assert_int_equal(orders, 24);
}

/* --- NumPy's RandomState --------------------------------------------------------------------- */

static void randn_is_numpys_bit_for_bit(void **state)
{
    (void)state;
    /* np.random.RandomState(seed).randn(2001)[[0, 1, 2, 3, 4, 2000]] */
    static const struct {
        uint32_t seed;
        double first[5], last;
    } rows[] = {
        {0u,
         {0x1.c398ef3e5cfa5p+0, 0x1.99c2cfacc8953p-2, 0x1.f51d25222c9abp-1, 0x1.1ed5969e3314ep+1,
          0x1.de1847cb13ddap+0},
         -0x1.886d839fd50f8p+0},
        {42u,
         {0x1.fca2a28a9307cp-2, -0x1.1b2a505de052ap-3, 0x1.4b9dd50245e68p-1, 0x1.85e548e01aa2bp+0,
          -0x1.df8bcdf57a640p-3},
         -0x1.59b0f783f825ep-1},
        {4294967295u,
         {0x1.4bfc38c486d8ap-1, 0x1.56b192e507eeep-1, -0x1.149e836f192fdp+0, 0x1.23543dec5a0fcp-2,
          0x1.d27bf27c6aaafp-4},
         -0x1.46bc84da71d17p-1},
    };
    for (size_t i = 0; i < 3; i++) {
        double x[2001];
        lw_random_state random;
        lw_random_state_seed(&random, rows[i].seed);
        lw_random_state_randn(&random, 2001, x);
        assert_memory_equal(x, rows[i].first, sizeof rows[i].first);
        assert_memory_equal(&x[2000], &rows[i].last, sizeof(double));
    }
}

static void randn_in_pieces_is_randn_at_once(void **state)
{
    (void)state;
    double whole[9], pieces[9];
    lw_random_state random;
    lw_random_state_seed(&random, 5);
    lw_random_state_randn(&random, 9, whole);
    lw_random_state_seed(&random, 5);
    lw_random_state_randn(&random, 3, pieces); /* leaves a second number of a pair behind */
    lw_random_state_randn(&random, 6, pieces + 3);
    assert_memory_equal(whole, pieces, sizeof whole);
}

static void random_sample_is_numpys_bit_for_bit(void **state)
{
    (void)state;
    static const double expected[3] = {0x1.7f8771e5f51ecp-2, 0x1.e6c4068bbd654p-1, 0x1.76c7e8f1e6751p-1};
    double x[3];
    lw_random_state random;
    lw_random_state_seed(&random, 42);
    lw_random_state_uniform(&random, 3, x);
    assert_memory_equal(x, expected, sizeof x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(philox_gives_the_published_vectors),
        cmocka_unit_test(a_number_depends_on_its_index_alone),
        cmocka_unit_test(seed_step_and_purpose_each_change_the_numbers),
        cmocka_unit_test(indices_beyond_32_bits_go_on),
        cmocka_unit_test(a_word_is_counted_as_the_header_says),
        cmocka_unit_test(uniform_numbers_fill_the_half_open_interval),
        cmocka_unit_test(normal_numbers_have_the_normal_moments),
        cmocka_unit_test(normal_of_a_word_is_its_quantile),
        cmocka_unit_test(normal_numbers_are_symmetric_and_finite_at_the_ends),
        cmocka_unit_test(purposes_hash_as_fnv1a),
        cmocka_unit_test(shuffle_is_a_permutation_that_moves_things),
        cmocka_unit_test(shuffle_gives_every_order_equally_often),
        cmocka_unit_test(randn_is_numpys_bit_for_bit),
        cmocka_unit_test(randn_in_pieces_is_randn_at_once),
        cmocka_unit_test(random_sample_is_numpys_bit_for_bit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
