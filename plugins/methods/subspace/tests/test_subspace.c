/* test_subspace.c — coefficients by their optimality conditions, the released affinity and groups, block
 * structures, mixing. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "../cluster.h"
#include "../express.h"
#include "fixture.h"
#include "plugins.h"
#include "step_harness.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- coefficients --------------------------------------------------------------------------------------- */
/* Channels that are mixtures of fewer: [pixels, n] -> their Gram matrix. */
static void make_gram(int n, int pixels, int factors, double *gram)
{
    float mix[16 * 4], signal[200 * 4];
    assert_true(n <= 16 && factors <= 4 && pixels <= 200);
    lw_normal((lw_stream){.seed = 1}, 0, (size_t)(n * factors), mix);
    lw_normal((lw_stream){.seed = 2}, 0, (size_t)(pixels * factors), signal);
    memset(gram, 0, sizeof(double) * (size_t)(n * n));
    for (int p = 0; p < pixels; p++)
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++) {
                double a = 0, b = 0;
                for (int f = 0; f < factors; f++) {
                    a += (double)mix[i * factors + f] * signal[p * factors + f];
                    b += (double)mix[j * factors + f] * signal[p * factors + f];
                }
                gram[i * n + j] += (a * b + (i == j ? 0.1 : 0)) / pixels;
            }
}

/* At the minimum, 2 (G (R - I))_ac is -eta sign(R_ac) where R_ac is not zero, and within eta where it is. */
static void coefficients_satisfy_the_conditions_of_the_minimum(void **state)
{
    (void)state;
    enum { N = 12 };
    double gram[N * N], r[N * N];
    make_gram(N, 200, 3, gram);
    test_must(express(N, gram, 0.5, r));
    int zeros = 0;
    for (int a = 0; a < N; a++)
        for (int c = 0; c < N; c++) {
            double slope = -2 * gram[a * N + c];
            for (int b = 0; b < N; b++)
                slope += 2 * gram[a * N + b] * r[b * N + c];
            if (a == c)
                assert_true(r[a * N + c] == 0);
            else if (r[a * N + c] == 0)
                assert_true(fabs(slope) <= 0.5 + 1e-4);
            else
                assert_true(fabs(slope + (r[a * N + c] > 0 ? 0.5 : -0.5)) < 1e-4);
            zeros += r[a * N + c] == 0;
        }
    assert_true(zeros > N && zeros < N * N);
}

static void a_silent_channel_tells_nothing(void **state)
{
    (void)state;
    const double gram[9] = {2, 1, 0, 1, 3, 0, 0, 0, 0};
    double r[9];
    test_must(express(3, gram, 0.1, r));
    for (int i = 0; i < 3; i++)
        assert_true(r[i * 3 + 2] == 0 && r[2 * 3 + i] == 0);
    const double broken[4] = {1, 0, NAN, 1};
    assert_int_equal(express(2, broken, 0.1, r), LW_NUMERIC);
    assert_non_null(strstr(lw_error_text(), "channel 1"));
}

/* --- the released code ---------------------------------------------------------------------------------- */
static double *doubles(const lw_tensor *t)
{
    const int64_t n = lw_shape_count(t->shape);
    double *d = malloc(sizeof *d * (size_t)n);
    assert_non_null(d);
    for (int64_t i = 0; i < n; i++)
        d[i] = t->data[i];
    return d;
}

static void near(const double *ours, const lw_tensor *theirs, double tolerance)
{
    for (int64_t i = 0; i < lw_shape_count(theirs->shape); i++)
        if (!(fabs(ours[i] - theirs->data[i]) <= tolerance))
            fail_msg("element %lld is %.9g, not %.9g", (long long)i, ours[i], theirs->data[i]);
}

/* Do the labels say the same but for the clusters' numbers? */
static void same_groups(int64_t n, const int64_t *label, const float *theirs)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++)
            assert_true((label[i] == label[j]) == (theirs[i] == theirs[j]));
}

static void affinities_and_groups_are_those_of_the_released_code(void **state)
{
    (void)state;
    enum { N = 20, CLUSTERS = 4 };
    fixture f;
    fixture_open(&f, "method_dplase", "native");
    double s[N * N], *c = doubles(fixture_expected(&f, "thrC.in"));
    int64_t label[N];
    test_must(affinity_keep(N, c, 0.2, s));
    near(s, fixture_expected(&f, "thrC.out"), 0);
    free(c);
    c = doubles(fixture_expected(&f, "postproC.in"));
    test_must(affinity_refine(N, c, CLUSTERS, 3, 3, s));
    near(s, fixture_expected(&f, "postproC.affinity"), 1e-6);
    free(c);
    test_must(cluster(N, s, CLUSTERS, 1, label));
    same_groups(N, label, fixture_expected(&f, "postproC.groups")->data);
    fixture_close(&f);
}

/* --- clusters --------------------------------------------------------------------------------- */
/* Blocks of the given sizes, shuffled, with affinities in [0.5, 1) within and [0, noise) between. */
static void blocks_are_found(const int *sizes, int blocks, double noise, uint64_t seed)
{
    enum { MOST = 128 };
    static double s[MOST * MOST];
    float truth[MOST], u;
    uint32_t order[MOST];
    int64_t label[MOST], n = 0;
    for (int b = 0; b < blocks; b++)
        n += sizes[b];
    assert_true(n <= MOST);
    lw_shuffle((lw_stream){.seed = seed}, (size_t)n, order);
    for (int64_t b = 0, i = 0; b < blocks; b++)
        for (int k = 0; k < sizes[b]; k++, i++)
            truth[order[i]] = (float)b;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j <= i; j++) {
            lw_uniform((lw_stream){.seed = seed, .step = 1}, (uint64_t)(i * n + j), 1, &u);
            s[i * n + j] = s[j * n + i] = truth[i] == truth[j] ? 0.5 + 0.5 * u : noise * u;
        }
    test_must(cluster(n, s, blocks, seed, label));
    same_groups(n, label, truth);
    for (int64_t i = 0; i < n; i++) /* numbered by falling size, as the sizes are given */
        assert_true(label[i] == (int64_t)truth[i]);
}

static void known_blocks_are_found_and_numbered_by_size(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 5; seed++) {
        blocks_are_found((const int[]){40, 12, 6}, 3, 0, seed);
        blocks_are_found((const int[]){50, 30, 20, 10}, 4, 0.1, seed);
        blocks_are_found((const int[]){30, 29, 28, 8, 5}, 5, 0.05, seed);
        blocks_are_found((const int[]){9}, 1, 0, seed);
    }
}

/* Channels made of independent pairs of factors, from pixels to subspaces. */
static void channels_of_a_common_factor_end_in_one_subspace(void **state)
{
    (void)state;
    enum { GROUPS = 3, EACH = 5, N = GROUPS * EACH, PIXELS = 400, RANK = 2 };
    static float factor[PIXELS * GROUPS * RANK], mix[N * RANK];
    static double gram[N * N], r[N * N], s[N * N];
    float truth[N];
    int64_t label[N];
    lw_normal((lw_stream){.seed = 3}, 0, PIXELS * GROUPS * RANK, factor);
    lw_normal((lw_stream){.seed = 4}, 0, N * RANK, mix);
    for (int p = 0; p < PIXELS; p++) {
        double value[N] = {0};
        for (int i = 0; i < N; i++)
            for (int k = 0; k < RANK; k++)
                value[i] += (double)mix[i * RANK + k] * factor[(p * GROUPS + i % GROUPS) * RANK + k];
        for (int i = 0; i < N * N; i++)
            gram[i] += value[i / N] * value[i % N];
    }
    for (int i = 0; i < N; i++)
        truth[i] = (float)(i % GROUPS);
    test_must(express(N, gram, 0.5, r));
    affinity_paper(N, r, s);
    test_must(cluster(N, s, GROUPS, 1, label));
    same_groups(N, label, truth);
}

/* --- the step --------------------------------------------------------------------------------- */
static void prepare(harness *h, lw_model *model, lw_device *device, const lw_tensor *walk, const char *space,
                    const char *const *settings)
{
    harness_open(h, "method/subspace");
    h->model = model;
    h->device = device;
    harness_set(h, "model", "m");
    harness_set(h, "batch", "4");
    for (; *settings; settings += 2)
        harness_set(h, settings[0], settings[1]);
    harness_input(h, "walk", "edit.walk", space, walk);
}

static double difference(const float *a, const float *b, int64_t count)
{
    double largest = 0;
    for (int64_t i = 0; i < count; i++)
        largest = fmax(largest, fabs((double)a[i] - b[i]));
    return largest;
}

/* One subspace of all channels lets the whole walk through, and at z0 every subspace shows the image
 * itself. */
static void check_step(lw_model *model, lw_device *device, const char *tap, const char *space,
                       lw_tensor *walk)
{
    const int64_t row = lw_shape_count(walk->shape) / 6;
    lw_normal((lw_stream){.seed = 6}, 0, (size_t)lw_shape_count(walk->shape), walk->data);
    lw_tensor flat = *walk, *plain;
    flat.shape = LW_SHAPE(6, row);
    test_must(lw_model_images(model, device, space, &flat, 6, &plain, NULL));
    const int64_t pixels = lw_shape_count(plain->shape) / 6;
    harness h;
    prepare(&h, model, device, walk, space,
            (const char *[]){"tap", tap, "subspaces", "1", "origin", "1", NULL});
    test_must(harness_run(&h));
    assert_true(difference(harness_output(&h, "confined")->data, plain->data, 6 * pixels) < 1e-5);
    assert_true(difference(harness_output(&h, "exchanged")->data, plain->data + 4 * pixels, pixels) < 1e-5);
    harness_close(&h);
    prepare(&h, model, device, walk, space,
            (const char *[]){"tap", tap, "subspaces", "3", "origin", "1", NULL});
    test_must(harness_run(&h));
    const lw_tensor *confined = harness_output(&h, "confined");
    assert_true(confined->shape.dim[0] == 6 && confined->shape.dim[1] == 3);
    for (int m = 0; m < 6; m++) {
        const float *images = confined->data + m * 3 * pixels, *own = plain->data + m / 3 * 3 * pixels;
        assert_true(difference(images + pixels, own + pixels, pixels) < 1e-5);
        /* but elsewhere it is not the whole walk */
        assert_true(difference(images, own, pixels) > 1e-3 * difference(own, own + pixels, pixels));
    }
    assert_true(harness_metric(&h, "subspace 0", "channels") >= harness_metric(&h, "subspace 1", "channels"));
    harness one;
    prepare(&one, model, device, walk, space,
            (const char *[]){"tap", tap, "subspaces", "3", "origin", "1", "only", "1", NULL});
    test_must(harness_run(&one));
    const lw_tensor *second = harness_output(&one, "confined");
    assert_true(second->shape.dim[0] == 2 && second->shape.dim[1] == 3);
    for (int n = 0; n < 2; n++)
        assert_true(difference(second->data + n * 3 * pixels, confined->data + (3 * n + 1) * 3 * pixels,
                               3 * pixels) == 0);
    harness_close(&one);
    harness_close(&h);
    lw_tensor_destroy(plain);
}

static void walks_are_confined(void **state)
{
    (void)state;
    lw_device *device = lw_device_open("cpu", "native");
    lw_model *model = test_model("m", LW_PART_GENERATOR, "generator/dcgan",
                                 (const char *[]){"z_dim=4", "width=4", "depth=1", NULL});
    lw_tensor *walk = lw_tensor_create(LW_SHAPE(2, 3, 4));
    check_step(model, device, "block0", "z", walk);
    harness h;
    prepare(&h, model, device, walk, "z", (const char *[]){"tap", "block5", NULL});
    assert_int_equal(harness_run(&h), LW_NOT_FOUND);
    assert_non_null(strstr(lw_error_text(), "it has format, affine0, block0, block1"));
    assert_int_equal(lwi_step_check(h.step), LW_NOT_FOUND); /* found before anything runs */
    harness_close(&h);
    prepare(&h, model, device, walk, "z", (const char *[]){"tap", "block0", "subspaces", "9", NULL});
    assert_int_equal(harness_run(&h), LW_INVALID);
    assert_non_null(strstr(lw_error_text(), "8 channels cannot be sorted into 9 subspaces"));
    assert_int_equal(lwi_step_check(h.step), LW_INVALID);
    harness_close(&h);
    prepare(&h, model, device, walk, "z", (const char *[]){"tap", "block0", "origin", "3", NULL});
    assert_int_equal(harness_run(&h), LW_INVALID);
    assert_non_null(strstr(lw_error_text(), "the points 0 to 2"));
    harness_close(&h);
    prepare(&h, model, device, walk, "z", (const char *[]){"tap", "block0", "only", "4", NULL});
    assert_int_equal(harness_run(&h), LW_INVALID);
    assert_non_null(strstr(lw_error_text(), "the subspaces are 0 to 3"));
    assert_int_equal(lwi_step_check(h.step), LW_INVALID);
    harness_close(&h);
    lw_tensor_destroy(walk);
    lwi_model_destroy(model);
    lw_device_close(device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(coefficients_satisfy_the_conditions_of_the_minimum),
        cmocka_unit_test(a_silent_channel_tells_nothing),
        cmocka_unit_test(affinities_and_groups_are_those_of_the_released_code),
        cmocka_unit_test(known_blocks_are_found_and_numbered_by_size),
        cmocka_unit_test(channels_of_a_common_factor_end_in_one_subspace),
        cmocka_unit_test(walks_are_confined),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
