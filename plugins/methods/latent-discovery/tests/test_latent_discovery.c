/* test_latent_discovery.c — the released code's matrices, reconstructors, losses and gradients; directions
 * found; mistakes. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "../deform.h"
#include "../reconstructor.h"
#include "fixture.h"
#include "plugins.h"
#include "reference.h"
#include "step_harness.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A scope on the fixture's weights under `prefix`. */
static void open_scope(lw_graph *g, fixture *f, const char *prefix, bool training)
{
    lw_scope_push(g, &(lw_scope){.size = sizeof(lw_scope),
                                 .plugin = "test",
                                 .store = f->weights,
                                 .prefix = prefix,
                                 .training = training});
}

static void matrices_deform_as_in_the_released_code(void **state)
{
    (void)state;
    static const struct {
        const char *prefix, *in, *out;
        deform_kind kind;
    } cases[] = {{"LINEAR.", "shift_in", "deformed.LINEAR", DEFORM_LINEAR},
                 {"PROJECTIVE.", "shift_in", "deformed.PROJECTIVE", DEFORM_PROJECTIVE},
                 {"ORTHO.", "shift_in", "deformed.ORTHO", DEFORM_ORTHO},
                 {"LINEAR5.", "shift_in5", "deformed.LINEAR5", DEFORM_LINEAR}};
    enum { CASES = sizeof cases / sizeof *cases };
    fixture f;
    fixture_open(&f, "method_latent_discovery", "native");
    fixture_check checks[CASES + 2];
    lw_graph *g = lw_graph_create();
    for (int i = 0; i < CASES; i++) {
        open_scope(g, &f, cases[i].prefix, false);
        checks[i] = (fixture_check){cases[i].out,
                                    deform(g, cases[i].kind, fixture_constant(&f, g, cases[i].in), 12), 3e-5};
        lw_scope_pop(g);
    }
    open_scope(g, &f, "ORTHO.", false);
    checks[CASES] = (fixture_check){"ortho_matrix",
                                    lw_transpose(g, deform_directions(g, DEFORM_ORTHO, 12, 12), 0, 1), 3e-5};
    lw_scope_pop(g);
    checks[CASES + 1] = (fixture_check){
        "shift_scaled", deform_shifts(g, fixture_constant(&f, g, "shift_uniform"), 6, 0.5), 1e-6};
    fixture_run(&f, g, checks, CASES + 2);
    lw_graph_destroy(g);
    fixture_close(&f);
}

/* Of a matrix as large as those of real latents the exponential is still orthogonal. */
static void the_exponential_of_a_large_matrix_is_orthogonal(void **state)
{
    (void)state;
    enum { N = 512 };
    lw_device *device = lw_device_open("cpu", "native");
    lw_store *store = lw_store_create();
    lw_graph *g = lw_graph_create();
    lw_scope_push(g, &(lw_scope){.size = sizeof(lw_scope), .plugin = "test", .store = store, .create = true});
    lw_value d = deform_directions(g, DEFORM_ORTHO, 20, N);
    lw_scope_pop(g);
    lw_output(g, "gram", lw_matmul(g, d, lw_transpose(g, d, 0, 1)));
    lw_program *program = lw_compile(g, device);
    assert_non_null(program);
    float gram[400];
    test_must(lw_program_run(program));
    test_must(lw_program_read(program, "gram", gram, 400));
    for (int i = 0; i < 400; i++)
        assert_true(fabs(gram[i] - (i / 20 == i % 20)) < 1e-3);
    lw_program_destroy(program);
    lw_graph_destroy(g);
    lw_store_destroy(store);
    lw_device_close(device);
}

static void check_lenet(bool training, const char *const names[5])
{
    fixture f;
    fixture_open(&f, "method_latent_discovery", "native");
    lw_graph *g = lw_graph_create();
    lw_value pair =
        lw_concat(g, (lw_value[]){fixture_constant(&f, g, "img1"), fixture_constant(&f, g, "img2")}, 2, 1);
    open_scope(g, &f, "lenet.", training);
    reconstruction r = reconstruct_lenet(g, pair, 5, 2);
    lw_scope_pop(g);
    const int64_t n = lw_dim(g, pair, 0);
    lw_value entropy = reconstruction_entropy(
        g, &r, lw_reshape(g, fixture_constant(&f, g, "target_indices"), LW_SHAPE(n, 1)));
    lw_value error =
        reconstruction_error(g, &r, lw_reshape(g, fixture_constant(&f, g, "target_shifts"), LW_SHAPE(n, 1)));
    lw_value loss = lw_add(g, entropy, lw_affine(g, error, 0.25, 0));
    const lw_value weights[] = {lw_parameter(g, f.weights, "lenet.convnet.0.weight"),
                                lw_parameter(g, f.weights, "lenet.fc_logits.3.weight")};
    lw_value gradients[2];
    test_must(lw_gradient(g, loss, (lw_value){0}, weights, 2, gradients));
    fixture_run(&f, g,
                (fixture_check[]){{names[0], r.logits, FIXTURE_IMAGE},
                                  {names[1], r.shift, FIXTURE_IMAGE},
                                  {names[2], gradients[0], FIXTURE_GRADIENT},
                                  {names[3], gradients[1], FIXTURE_GRADIENT}},
                4);
    reference *slow = reference_create(g);
    assert_true(fabs(*reference_value(slow, loss) - fixture_expected(&f, names[4])->data[0]) < 1e-5);
    reference_destroy(slow);
    lw_graph_destroy(g);
    fixture_close(&f);
}

static void lenet_judges_as_in_the_released_code(void **state)
{
    (void)state;
    check_lenet(false, (const char *const[]){"lenet.eval.logits", "lenet.eval.shift",
                                             "lenet.eval.grad.convnet.0.weight",
                                             "lenet.eval.grad.fc_logits.3.weight", "lenet.eval.loss"});
}

static void lenet_learns_as_in_the_released_code(void **state)
{
    (void)state;
    check_lenet(true, (const char *const[]){"lenet.train.logits", "lenet.train.shift",
                                            "lenet.train.grad.convnet.0.weight",
                                            "lenet.train.grad.fc_logits.3.weight", "lenet.train.loss"});
}

/* The gradient of the loss by a weight of each matrix, through a whole pair of networks, against differences
 * in double. */
static void check_gradient(deform_kind kind, const char *weight_name)
{
    lw_store *store = lw_store_create();
    lw_graph *g = lw_graph_create();
    float shifts[] = {1.5f, 0, -0.7f, 0, 2, 0.3f}, x[2 * 3 * 8 * 8];
    lw_normal((lw_stream){.seed = 3}, 0, 2 * 3 * 64, x);
    lw_scope_push(
        g,
        &(lw_scope){.size = sizeof(lw_scope), .plugin = "test", .store = store, .seed = 6, .create = true});
    lw_value moved = deform(g, kind, lw_constant(g, LW_SHAPE(2, 3), shifts), 4);
    /* an image that the shift colours */
    lw_value image = lw_mul(g, lw_constant(g, LW_SHAPE(2, 3, 8, 8), x),
                            lw_reshape(g, lw_slice(g, moved, 1, 0, 3, 1), LW_SHAPE(2, 3, 1, 1)));
    lw_value pair = lw_concat(g, (lw_value[]){lw_constant(g, LW_SHAPE(2, 3, 8, 8), x), image}, 2, 1);
    reconstruction r = reconstruct_resnet18(g, pair, 3, 1);
    lw_scope_pop(g);
    lw_value loss =
        lw_add(g, reconstruction_entropy(g, &r, lw_constant(g, LW_SHAPE(2, 1), (const float[]){0, 1})),
               reconstruction_error(g, &r, lw_constant(g, LW_SHAPE(2, 1), (const float[]){1.5f, 2})));
    lw_value weight = lw_parameter(g, store, weight_name), gradient;
    test_must(lw_gradient(g, loss, (lw_value){0}, &weight, 1, &gradient));
    reference *slow = reference_create(g);
    const int64_t count = lw_shape_count(lw_shape_of(g, weight));
    double *found = malloc((size_t)count * sizeof *found), *at = malloc((size_t)count * sizeof *at),
           scale = 0;
    assert_true(found && at);
    memcpy(found, reference_value(slow, gradient), (size_t)count * sizeof *found);
    for (int64_t i = 0; i < count; i++) {
        at[i] = lw_store_get(store, weight_name)->data[i];
        scale = fmax(scale, fabs(found[i]));
    }
    assert_true(scale > 0);
    for (int64_t i = 0; i < count; i += 1 + count / 6) {
        const double here = at[i];
        double ends[2];
        for (int side = 0; side < 2; side++) {
            at[i] = here + (side ? -1e-6 : 1e-6);
            reference_replace(slow, weight, at);
            ends[side] = *reference_value(slow, loss);
        }
        at[i] = here;
        if (!(fabs((ends[0] - ends[1]) / 2e-6 - found[i]) < 1e-4 * scale))
            fail_msg("%s[%lld]: %g, by differences %g", weight_name, (long long)i, found[i],
                     (ends[0] - ends[1]) / 2e-6);
    }
    free(found);
    free(at);
    reference_destroy(slow);
    lw_graph_destroy(g);
    lw_store_destroy(store);
}

static void gradients_are_those_of_differences(void **state)
{
    (void)state;
    check_gradient(DEFORM_ORTHO, "log_mat_half");
    check_gradient(DEFORM_PROJECTIVE, "linear.weight");
    check_gradient(DEFORM_LINEAR, "linear.bias");
    check_gradient(DEFORM_LINEAR, "features_extractor.layer2.0.conv1.weight");
    check_gradient(DEFORM_LINEAR, "type_estimator.weight");
}

/* --- the step ----------------------------------------------------------------------------------------- */
static void prepare(harness *h, lw_model *model, lw_device *device, const char *const *settings)
{
    static const char *const small[] = {"model", "m",      "count", "3",     "iterations", "10", "batch",
                                        "8",     "judged", "2",     "width", "2",          NULL};
    harness_open(h, "method/latent-discovery");
    h->model = model;
    h->device = device;
    for (const char *const *s = small; *s; s += 2)
        harness_set(h, s[0], s[1]);
    for (; *settings; settings += 2)
        harness_set(h, settings[0], settings[1]);
}

static void check_found(lw_model *model, lw_device *device, const char *deformator, const char *reconstructor)
{
    harness h;
    prepare(&h, model, device,
            (const char *[]){"deformator", deformator, "reconstructor", reconstructor, NULL});
    test_must(harness_run(&h));
    char *path = harness_path(&h, "directions.safetensors");
    lw_directions *d = lw_directions_load(path, NULL);
    lw_free(path);
    assert_non_null(d);
    assert_true(d->count == 3 && d->size == 4 && d->scores[0] >= d->scores[2] && d->scores[2] >= 0 &&
                d->scores[0] <= 1);
    double dot = 0;
    for (int i = 0; i < 4; i++)
        dot += (double)d->vectors[i] * d->vectors[4 + i];
    assert_true(strcmp(deformator, "ortho") != 0 || fabs(dot) < 1e-4);
    assert_true(harness_metric(&h, "reconstructor", "accuracy in %") >= 0);
    lw_directions_destroy(d);
    harness_close(&h);
}

static void directions_are_found_by_every_pairing(void **state)
{
    (void)state;
    lw_device *device = lw_device_open("cpu", "native");
    lw_model *model = test_model("m", LW_PART_GENERATOR, "generator/dcgan",
                                 (const char *[]){"z_dim=4", "width=2", "depth=2", NULL});
    check_found(model, device, "ortho", "lenet");
    check_found(model, device, "projective", "lenet");
    check_found(model, device, "linear", "resnet18");
    lwi_model_destroy(model);
    lw_device_close(device);
}

static void fails(lw_model *model, lw_device *device, const char *const *settings, lw_status status,
                  const char *text)
{
    harness h;
    prepare(&h, model, device, settings);
    assert_int_equal(harness_run(&h), status);
    if (!strstr(lw_error_text(), text))
        fail_msg("'%s' does not say '%s'", lw_error_text(), text);
    harness_close(&h);
}

static void mistakes_are_told(void **state)
{
    (void)state;
    lw_device *device = lw_device_open("cpu", "native");
    lw_model *model = test_model("m", LW_PART_GENERATOR, "generator/dcgan",
                                 (const char *[]){"z_dim=4", "width=2", "depth=1", NULL});
    fails(model, device, (const char *[]){"count", "5", NULL}, LW_INVALID,
          "5 directions, but Z of model 'm' has 4 dimensions");
    fails(model, device, (const char *[]){"space", "w", NULL}, LW_UNSUPPORTED, "no mapping network");
    fails(model, device, (const char *[]){"size", "5", NULL}, LW_INVALID,
          "5 px cannot be had from images of 16 x 16 px");
    fails(model, device, (const char *[]){"reconstructor", "lenet", NULL}, LW_SHAPE, "at least 28 px");
    lw_store *weights = lw_model_store(model, LW_PART_GENERATOR);
    const char *name = lw_store_name(weights, 0);
    lw_tensor *broken = lw_tensor_copy(lw_store_get(weights, name));
    broken->data[0] = NAN;
    test_must(lw_store_set(weights, name, broken->shape, broken->data));
    lw_tensor_destroy(broken);
    fails(model, device, (const char *[]){NULL}, LW_NUMERIC,
          "step 'test': 'loss' is not a number at iteration 0");
    lwi_model_destroy(model);
    lw_device_close(device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matrices_deform_as_in_the_released_code),
        cmocka_unit_test(the_exponential_of_a_large_matrix_is_orthogonal),
        cmocka_unit_test(lenet_judges_as_in_the_released_code),
        cmocka_unit_test(lenet_learns_as_in_the_released_code),
        cmocka_unit_test(gradients_are_those_of_differences),
        cmocka_unit_test(directions_are_found_by_every_pairing),
        cmocka_unit_test(mistakes_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
