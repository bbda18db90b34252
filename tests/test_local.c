/* test_local.c — the local geometry of a mapping: official Jacobians and bases, differences, taps, errors. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "fixture.h"
#include "model/model.h"
#include "plugins.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static double dot(const float *a, const float *b, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += (double)a[i] * b[i];
    return sum;
}

/* Row i of `rows` is, up to its sign, column i of `columns` [n, n], for singular values that stand apart. */
static void check_vectors(const float *rows, const lw_tensor *columns, const float *values, int64_t rank)
{
    int64_t n = columns->shape.dim[0], checked = 0;
    float column[64];
    for (int64_t i = 0; i < rank; i++) {
        bool apart = (i == 0 || values[i - 1] - values[i] > 1e-3f * values[0]) &&
                     values[i] - (i + 1 < rank ? values[i + 1] : 0) > 1e-3f * values[0];
        for (int64_t j = 0; j < n; j++)
            column[j] = columns->data[j * n + i];
        double along = dot(rows + i * n, column, n) / dot(column, column, n), off = 0;
        for (int64_t j = 0; j < n; j++)
            off += pow((double)rows[i * n + j] - along * column[j], 2);
        if (apart && !(sqrt(off) < 1e-3)) /* the sine of the angle between them */
            fail_msg("vector %d is %.3g rad off", (int)i, sqrt(off));
        checked += apart;
    }
    assert_true(checked > rank / 2);
}

/* localbasis d53c477b at three latents, all of them in one batch. */
static void check_local_basis(double cutoff)
{
    fixture net, method;
    fixture_open(&method, "method_localbasis", "native");
    fixture_open(&net, "stylegan2", "native");
    fixture_part(&net, LW_PART_GENERATOR, "generator/stylegan2", NULL, NULL);
    lw_local *local = lw_local_create(net.model, net.device, .batch = 4, .cutoff = (float)cutoff);
    assert_non_null(local);
    float z[3 * 32];
    for (int i = 0; i < 3; i++) {
        char name[16];
        snprintf(name, sizeof name, "noise%d", i);
        memcpy(z + i * 32, fixture_expected(&method, name)->data, 32 * sizeof *z);
    }
    assert_int_equal(lw_local_at(local, z, 3), LW_OK);
    for (int i = 0; i < 3; i++) {
        char names[4][8];
        for (int k = 0; k < 4; k++)
            snprintf(names[k], sizeof names[k], "%s%d", (const char *[]){"w", "S", "U", "V"}[k], i);
        const lw_tensor *w = fixture_expected(&method, names[0]), *s = fixture_expected(&method, names[1]);
        const float *values = local->values + i * 32;
        int64_t rank = 0;
        while (rank < 32 && s->data[rank] > cutoff)
            rank++;
        assert_int_equal(local->rank[i], rank);
        for (int k = 0; k < 32; k++) {
            assert_true(fabsf(local->w[i * 32 + k] - w->data[k]) < 1e-5f);
            assert_true(k >= rank ? values[k] == 0 : fabsf(values[k] - s->data[k]) < 1e-5f * s->data[0]);
        }
        check_vectors(local->left + i * 32 * 32, fixture_expected(&method, names[2]), values, rank);
        check_vectors(local->right + i * 32 * 32, fixture_expected(&method, names[3]), values, rank);
    }
    lw_local_destroy(local);
    fixture_close(&net);
    fixture_close(&method);
}

static void bases_are_those_of_the_official_code(void **state)
{
    (void)state;
    check_local_basis(0);
    check_local_basis(0.05);
}

static void a_jacobian_says_how_w_moves(void **state)
{
    (void)state;
    lw_device *device = lw_device_open("cpu", "native");
    lw_model *model = test_model("m", LW_PART_GENERATOR, "generator/stylegan2",
                                 (const char *[]){"widths=[8, 8]", "z_dim=12", "w_dim=10", "mapping_width=9",
                                                  "mapping_layers=3", NULL});
    lw_local *local = lw_local_create(model, device, .batch = 2, .cutoff = 0.05f);
    assert_non_null(local);
    float z[2 * 12], w[10], jacobian[2 * 10 * 12];
    lw_normal((lw_stream){.seed = 3}, 0, 24, z);
    assert_int_equal(lw_local_jacobian(local, z, 2), LW_OK);
    assert_true(local->w_dim == 10 && local->z_dim == 12 && local->k == 10);
    memcpy(jacobian, local->jacobian, sizeof jacobian);
    for (int j = 0; j < 12; j++) {
        const float h = 1e-3f, kept = z[12 + j];
        z[12 + j] = kept + h;
        assert_int_equal(lw_local_jacobian(local, z, 2), LW_OK);
        memcpy(w, local->w + 10, sizeof w);
        z[12 + j] = kept - h;
        assert_int_equal(lw_local_jacobian(local, z, 2), LW_OK);
        z[12 + j] = kept;
        for (int i = 0; i < 10; i++)
            assert_float_equal((w[i] - local->w[10 + i]) / (2 * h), jacobian[(10 + i) * 12 + j], 5e-3);
    }
    lw_local_destroy(local);
    lwi_model_destroy(model);
    lw_device_close(device);
}

static void a_tap_has_a_geometry_too(void **state)
{
    (void)state;
    lw_device *device = lw_device_open("cpu", "native");
    lw_model *model = test_model("faces", LW_PART_GENERATOR, "generator/dcgan",
                                 (const char *[]){"z_dim=6", "width=4", "depth=1", NULL});
    lw_local *local = lw_local_create(model, device, .tap = "block0", .batch = 1, .cutoff = 1e-4f);
    assert_non_null(local);
    float z[6], before[8 * 16], moved[6];
    lw_normal((lw_stream){.seed = 4}, 0, 6, z);
    assert_int_equal(lw_local_at(local, z, 1), LW_OK);
    assert_int_equal(local->w_dim, 8 * 16);
    assert_true(local->rank[0] > 0);
    memcpy(before, local->w, sizeof before);
    double value = (double)local->values[0], sum = 0;
    for (int i = 0; i < 6; i++)
        moved[i] = z[i] + 1e-3f * local->right[i];
    float left[8 * 16];
    memcpy(left, local->left, sizeof left);
    assert_int_equal(lw_local_jacobian(local, moved, 1), LW_OK);
    for (int i = 0; i < 8 * 16; i++)
        sum += ((double)local->w[i] - before[i]) * left[i];
    assert_true(fabs(sum / 1e-3 - value) < 0.05 * value);
    lw_local_destroy(local);

    assert_null(lw_local_create(model, device));
    assert_int_equal(lw_error_status(), LW_UNSUPPORTED);
    assert_null(lw_local_create(model, device, .tap = "block9"));
    assert_int_equal(lw_error_status(), LW_NOT_FOUND);
    assert_non_null(strstr(lw_error_text(), "block0"));
    lwi_model_destroy(model);
    lw_device_close(device);
}

static void more_latents_than_the_batch_are_refused(void **state)
{
    (void)state;
    lw_device *device = lw_device_open("none", NULL);
    lw_model *model =
        test_model("m", LW_PART_GENERATOR, "generator/stylegan2",
                   (const char *[]){"widths=[8]", "z_dim=4", "w_dim=4", "mapping_layers=1", NULL});
    lw_local *local = lw_local_create(model, device, .batch = 2);
    float z[12] = {0};
    assert_int_equal(lw_local_at(local, z, 3), LW_INVALID);
    assert_int_equal(lw_local_at(local, z, 0), LW_INVALID);
    assert_int_equal(lw_local_at(local, z, 2), LW_OK); /* on a device that computes nothing: zeros */
    assert_int_equal(local->rank[1], 0);
    lw_local_destroy(local);
    lwi_model_destroy(model);
    lw_device_close(device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bases_are_those_of_the_official_code),
        cmocka_unit_test(a_jacobian_says_how_w_moves),
        cmocka_unit_test(a_tap_has_a_geometry_too),
        cmocka_unit_test(more_latents_than_the_batch_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
