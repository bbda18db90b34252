/* test_directions.c — source/directions: files of ours, imported ones, and those of other weights. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "bytes.h"
#include "model/model.h"
#include "plugins.h"
#include "step_harness.h"

#include <stdio.h>
#include <string.h>

enum { W = 4, L = 4 };

typedef struct setup {
    lw_device *device;
    lw_model *model;
    char path[128];
} setup;

static void open(setup *s, harness *h, const char *file)
{
    s->device = lw_device_open("none", NULL);
    s->model = test_model("m", LW_PART_GENERATOR, "generator/stylegan2",
                          (const char *[]){"widths=[4, 4]", "z_dim=6", "w_dim=4", "mapping_layers=1", NULL});
    harness_open(h, "source/directions");
    h->device = s->device;
    h->model = s->model;
    harness_set(h, "model", "m");
    snprintf(s->path, sizeof s->path, "%s/%s", h->folder, file);
    harness_set(h, "file", s->path);
}

static void close(setup *s, harness *h)
{
    harness_close(h);
    lwi_model_destroy(s->model);
    lw_device_close(s->device);
}

/* One direction along element 1 of w with deviation 2, of these weights. */
static void write_ours(const setup *s, const char *identity)
{
    lw_directions *d = lw_directions_create("w", 1, W);
    d->vectors[1] = 1;
    d->deviations[0] = 2;
    d->first_layer = 1;
    snprintf(d->model, sizeof d->model, "%s", identity);
    assert_int_equal(lw_directions_save(d, s->path), LW_OK);
    lw_directions_destroy(d);
}

static void check_layers(const harness *h, int first, int last, float moved)
{
    const lw_tensor *out = harness_output(h, "directions");
    assert_true(lw_shape_equal(out->shape, LW_SHAPE(1, L, W)));
    for (int l = 0; l < L; l++)
        assert_float_equal(out->data[l * W + 1], l >= first && l <= last ? moved : 0, 1e-6);
}

static void a_file_of_these_weights_is_taken(void **state)
{
    (void)state;
    setup s;
    harness h;
    open(&s, &h, "ours.safetensors");
    write_ours(&s, lw_model_identity(s.model));
    assert_int_equal(harness_run(&h), LW_OK);
    check_layers(&h, 1, 3, 2);
    harness_set(&h, "layers", "[0, 2]");
    assert_int_equal(harness_run(&h), LW_OK);
    check_layers(&h, 0, 2, 2);
    harness_set(&h, "layers", "[0, 4]");
    assert_int_equal(harness_run(&h), LW_INVALID);
    harness_set(&h, "layers", "[0]");
    assert_int_equal(harness_run(&h), LW_INVALID);
    close(&s, &h);
}

static void other_weights_are_refused_unless_forced(void **state)
{
    (void)state;
    setup s;
    harness h;
    open(&s, &h, "other.safetensors");
    write_ours(&s, "0123456789abcdef");
    assert_int_equal(harness_run(&h), LW_INVALID);
    assert_non_null(strstr(lw_error_text(), "in another network's latent space they mean something else"));
    harness_set(&h, "force", "true");
    assert_int_equal(harness_run(&h), LW_OK);
    assert_int_equal(json_array_size(h.step->notes), 1);
    assert_non_null(strstr(json_string_value(json_array_get(h.step->notes, 0)), "by force"));
    close(&s, &h);
}

/* Bytes of a .npy with these floats. */
static void npy(const harness *h, bytes *b, lw_shape shape, const float *values)
{
    char path[128];
    lw_tensor *tensor = lw_tensor_create(shape);
    memcpy(tensor->data, values, (size_t)lw_shape_count(shape) * sizeof *values);
    snprintf(path, sizeof path, "%s/part.npy", h->folder);
    assert_int_equal(lw_npy_save(tensor, path), LW_OK);
    lw_tensor_destroy(tensor);
    FILE *in = fopen(path, "rb");
    assert_non_null(in);
    for (int c; (c = fgetc(in)) != EOF;)
        bytes_put(b, &(char){(char)c}, 1);
    fclose(in);
}

static void components_of_ganspace_are_imported(void **state)
{
    (void)state;
    setup s;
    harness h;
    bytes components = {0}, deviations = {0}, archive = {0};
    const float unit[W] = {0, 1, 0, 0}, deviation[1] = {0.25f};
    open(&s, &h, "components.npz");
    npy(&h, &components, LW_SHAPE(1, 1, W), unit);
    npy(&h, &deviations, LW_SHAPE(1), deviation);
    const zip_part parts[] = {{"lat_comp.npy", components.data, components.size, 0, 0, 0, 0},
                              {"lat_stdev.npy", deviations.data, deviations.size, 0, 0, 0, 0}};
    zip_file(&archive, parts, 2);
    FILE *out = fopen(s.path, "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(archive.data, 1, archive.size, out), archive.size);
    assert_int_equal(fclose(out), 0);
    assert_int_equal(harness_run(&h), LW_INVALID); /* of which space? */
    assert_non_null(strstr(lw_error_text(), "`space`"));
    harness_set(&h, "space", "w");
    if (harness_run(&h) != LW_OK)
        fail_msg("%s", lw_error_text());
    check_layers(&h, 0, 3, 0.25f);
    assert_non_null(
        strstr(json_string_value(json_array_get(h.step->notes, 0)), "does not say which weights"));
    bytes_free(&components);
    bytes_free(&deviations);
    bytes_free(&archive);
    close(&s, &h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_of_these_weights_is_taken),
        cmocka_unit_test(other_weights_are_refused_unless_forced),
        cmocka_unit_test(components_of_ganspace_are_imported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
