/* test_sefa.c — the official code's directions, mistakes. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "fixture.h"
#include "model/model.h"
#include "plugins.h"
#include "step_harness.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE = 32 };

static void run(harness *h, fixture *net, const char *layers, const char *count)
{
    harness_open(h, "method/sefa");
    h->model = net->model;
    h->device = net->device;
    harness_set(h, "model", "m");
    harness_set(h, "count", count);
    if (layers)
        harness_set(h, "layers", layers);
}

static int falling(const void *a, const void *b)
{
    float x = **(const float *const *)a, y = **(const float *const *)b;
    return (x < y) - (x > y);
}

/* Directions with separated eigenvalues are the official ones, sorted. */
static void check(const char *net_name, const char *plugin, const char *key, const char *layers, int first,
                  int last)
{
    fixture net, method;
    harness h;
    char name[64];
    fixture_open(&method, "method_sefa", "native");
    fixture_open(&net, net_name, "native");
    fixture_part(&net, LW_PART_GENERATOR, plugin, NULL, NULL);
    run(&h, &net, layers, "32");
    if (harness_run(&h) != LW_OK)
        fail_msg("%s", lw_error_text());
    char *path = harness_path(&h, "directions.safetensors");
    lw_directions *d = lw_directions_load(path, NULL);
    lw_free(path);
    assert_non_null(d);
    assert_string_equal(d->method, "method/sefa");
    assert_string_equal(d->model, lw_model_identity(net.model));
    if (first >= 0)
        assert_true(d->first_layer == first && d->last_layer == last);

    snprintf(name, sizeof name, "%s.eigen_values", key);
    const lw_tensor *values = fixture_expected(&method, name);
    snprintf(name, sizeof name, "%s.boundaries", key);
    const lw_tensor *vectors = fixture_expected(&method, name);
    const float *order[SIZE];
    for (int i = 0; i < SIZE; i++)
        order[i] = values->data + i;
    qsort(order, SIZE, sizeof *order, falling);
    int checked = 0;
    for (int k = 0; k < SIZE; k++) {
        const float *official = vectors->data + (order[k] - values->data) * SIZE,
                    *ours = d->vectors + k * SIZE;
        double dot = 0, squares = 0, off = 0;
        assert_true(fabs((double)d->scores[k] - *order[k]) < 1e-4 * *order[0]);
        for (int i = 0; i < SIZE; i++) {
            dot += (double)official[i] * ours[i];
            squares += (double)official[i] * official[i];
        }
        for (int i = 0; i < SIZE; i++)
            off += pow(ours[i] - dot / squares * official[i], 2);
        bool apart = (k == 0 || *order[k - 1] - *order[k] > 1e-3f * *order[0]) &&
                     (k == SIZE - 1 || *order[k] - *order[k + 1] > 1e-3f * *order[0]);
        if (apart && !(sqrt(off) < 1e-3))
            fail_msg("%s: direction %d is %g rad off", key, k, sqrt(off));
        checked += apart;
    }
    assert_true(checked > SIZE / 2);
    lw_directions_destroy(d);
    harness_close(&h);
    fixture_close(&net);
    fixture_close(&method);
}

static void directions_are_those_of_the_official_code(void **state)
{
    (void)state;
    check("pggan_genforce", "generator/pggan", "pggan_genforce.all", NULL, -1, 0);
    check("stylegan1", "generator/stylegan", "stylegan1.all", NULL, 0, 7);
    check("stylegan1", "generator/stylegan", "stylegan1.0-1", "[0, 1]", 0, 1);
    check("stylegan2_sefa", "generator/stylegan2", "stylegan2_sefa.all", NULL, 0, 5);
    check("stylegan2_sefa", "generator/stylegan2", "stylegan2_sefa.0-1", "[0, 1]", 0, 1);
}

/* --- generators whose latent enters by several layers ----------------------------------------- */
/* Of a weight [outputs, ..] whose columns from `from` on, `width` of them, take the elements of z from `to`
 * on. */
static void add_rows(lw_store *store, const char *name, int64_t from, int64_t width, int64_t to, int64_t size,
                     double *moments)
{
    const lw_tensor *w = lw_store_get(store, name);
    assert_non_null(w);
    for (int64_t r = 0; r < w->shape.dim[0]; r++) {
        const float *row = w->data + r * w->shape.dim[1] + from;
        double squares = 0;
        for (int64_t i = 0; i < width; i++)
            squares += (double)row[i] * row[i];
        for (int64_t i = 0; i < width; i++)
            for (int64_t j = 0; j < width; j++)
                moments[(to + i) * size + to + j] += (double)row[i] * row[j] / squares;
    }
}

/* The directions are eigenvectors of the moments, and the scores their values. */
static void check_eigen(lw_device *device, lw_model *model, const double *moments, int64_t size)
{
    harness h;
    char count[16];
    snprintf(count, sizeof count, "%d", (int)size);
    harness_open(&h, "method/sefa");
    h.model = model;
    h.device = device;
    harness_set(&h, "model", "m");
    harness_set(&h, "count", count);
    test_must(harness_run(&h));
    char *path = harness_path(&h, "directions.safetensors");
    lw_directions *d = lw_directions_load(path, NULL);
    lw_free(path);
    assert_true(d->count == size && d->size == size);
    for (int64_t k = 0; k < size; k++)
        for (int64_t i = 0; i < size; i++) {
            double product = 0;
            for (int64_t j = 0; j < size; j++)
                product += moments[i * size + j] * d->vectors[k * size + j];
            assert_true(fabs(product - (double)d->scores[k] * d->vectors[k * size + i]) <
                        1e-4 * d->scores[0]);
        }
    lw_directions_destroy(d);
    harness_close(&h);
}

static void wgan_gp_and_biggans_directions_are_those_of_their_weights(void **state)
{
    (void)state;
    char name[64];
    lw_device *device = lw_device_open("cpu", "native");
    double moments[64] = {0};
    lw_model *model = test_model("m", LW_PART_GENERATOR, "generator/wgan-gp",
                                 (const char *[]){"z_dim=4", "width=2", "bottom=1", NULL});
    add_rows(lw_model_store(model, LW_PART_GENERATOR), "ln1.weight", 0, 4, 0, 4, moments);
    check_eigen(device, model, moments, 4);
    lwi_model_destroy(model);

    memset(moments, 0, sizeof moments); /* hierarchical: chunks of 2 for the first layer and three blocks */
    model = test_model("m", LW_PART_GENERATOR, "generator/biggan",
                       (const char *[]){"resolution=32", "ch=8", "z_dim=8", "classes=3", "shared_dim=3",
                                        "attention=[]", NULL});
    add_rows(lw_model_store(model, LW_PART_GENERATOR), "linear.weight", 0, 2, 0, 8, moments);
    for (int i = 0; i < 12; i++) {
        snprintf(name, sizeof name, "blocks.%d.0.bn%d.%s.weight", i / 4, i / 2 % 2 + 1,
                 i % 2 ? "bias" : "gain");
        add_rows(lw_model_store(model, LW_PART_GENERATOR), name, 3, 2, 2 * (i / 4 + 1), 8, moments);
    }
    check_eigen(device, model, moments, 8);
    lwi_model_destroy(model);

    memset(moments, 0, sizeof moments);
    model = test_model("m", LW_PART_GENERATOR, "generator/biggan-deep",
                       (const char *[]){"z_dim=5", "class_embed_dim=3", "classes=3", "channel_width=4",
                                        "multiples=[8, 4, 2, 1]", "upsample=[0, 1, 0, 0]",
                                        "attention_layer_position=-1", "n_stats=2", NULL});
    lw_store *store = lw_model_store(model, LW_PART_GENERATOR);
    for (size_t i = 0; i < lw_store_count(store); i++) {
        const char *key = lw_store_name(store, i);
        if (strstr(key, "gen_z.weight_orig") || strstr(key, "scale.weight_orig") ||
            strstr(key, "offset.weight_orig"))
            add_rows(store, key, 0, 5, 0, 5, moments);
    }
    check_eigen(device, model, moments, 5);
    lwi_model_destroy(model);
    lw_device_close(device);
}

static void refuse(fixture *net, const char *layers, const char *count, const char *text)
{
    harness h;
    run(&h, net, layers, count);
    assert_int_equal(harness_run(&h), LW_INVALID);
    if (!strstr(lw_error_text(), text))
        fail_msg("'%s' does not say '%s'", lw_error_text(), text);
    harness_close(&h);
}

static void layers_and_counts_that_are_not_there_are_refused(void **state)
{
    (void)state;
    fixture net;
    fixture_open(&net, "stylegan2_sefa", "native");
    fixture_part(&net, LW_PART_GENERATOR, "generator/stylegan2", NULL, NULL);
    refuse(&net, "[0, 6]", "1", "the layers 0 to 5");
    refuse(&net, "[3, 2]", "1", "layers: 3 to 2");
    refuse(&net, "[3]", "1", "not 1 numbers");
    refuse(&net, NULL, "33", "only 32 directions");
    fixture_close(&net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(directions_are_those_of_the_official_code),
        cmocka_unit_test(wgan_gp_and_biggans_directions_are_those_of_their_weights),
        cmocka_unit_test(layers_and_counts_that_are_not_there_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
