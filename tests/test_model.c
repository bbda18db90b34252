/* Models: made, loaded, checked, built into graphs, run in batches and shipped as one file. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "errors.h"
#include "latentwalk/latentwalk.h"
#include "model/model.h"
#include "plugin/args.h"
#include "plugin/registry.h"

static lwi_registry *registry;
static lw_device *device;

static int find_plugins(void **state)
{
    (void)state;
    registry = lwi_registry_create();
    device = lw_device_open("cpu", "native");
    return registry && device && lwi_registry_scan(registry, LW_BUILD_DIR "/tests/plugins") == LW_OK ? 0 : -1;
}

static int forget_plugins(void **state)
{
    (void)state;
    lw_device_close(device);
    lwi_registry_destroy(registry);
    return 0;
}

static const lw_plugin *plugin(const char *id)
{
    const lw_plugin *found = lwi_registry_load(registry, id);
    if (!found)
        fail_msg("%s", lw_error_text());
    return found;
}

static void must(lw_status status)
{
    if (status != LW_OK)
        fail_msg("%s", lw_error_text());
}

/* Arguments with one setting, or key NULL for none. */
static lw_args *args_with(const char *id, const char *key, const char *text)
{
    lw_args *args = lwi_args_create(plugin(id));
    assert_non_null(args);
    if (key)
        must(lwi_args_set_text(args, key, text, true));
    return args;
}

static lw_model *make_model(bool with_discriminator)
{
    lw_model *model = lwi_model_create("faces");
    must(lwi_model_set_part(model, LW_PART_GENERATOR, plugin("generator/tiny"),
                            args_with("generator/tiny", NULL, NULL), NULL, NULL, 7));
    if (with_discriminator)
        must(lwi_model_set_part(model, LW_PART_DISCRIMINATOR, plugin("discriminator/tiny"),
                                args_with("discriminator/tiny", NULL, NULL), NULL, NULL, 7));
    return model;
}

/* Tensors of a generator with z_dim 5, w_dim 3, side 2, under a prefix. */
static lw_store *make_weights(const char *prefix)
{
    static const float numbers[64] = {0.5f, -1, 2};
    char name[64];
    lw_store *store = lw_store_create();
    snprintf(name, sizeof name, "%smap.weight", prefix);
    must(lw_store_set(store, name, LW_SHAPE(3, 5), numbers));
    snprintf(name, sizeof name, "%sout.weight", prefix);
    must(lw_store_set(store, name, LW_SHAPE(4, 3), numbers));
    snprintf(name, sizeof name, "%sout.bias", prefix);
    must(lw_store_set(store, name, LW_SHAPE(4), numbers));
    return store;
}

static lw_status load(lw_model *model, lw_store *weights, const char *prefix)
{
    return lwi_model_set_part(model, LW_PART_GENERATOR, plugin("generator/tiny"),
                              args_with("generator/tiny", NULL, NULL), weights, prefix, 0);
}

/* --- making --------------------------------------------------------------------------------- */

static void a_new_model_has_weights_sizes_and_capabilities(void **state)
{
    (void)state;
    lw_model *model = make_model(true);
    assert_string_equal(lw_model_name(model), "faces");
    assert_int_equal(lw_model_dim(model, "z_dim"), 4);
    assert_int_equal(lw_model_dim(model, "height"), 2);
    assert_int_equal(lw_model_dim(model, "nothing"), 0);
    assert_true(lw_model_has(model, "map"));
    assert_true(lw_model_has(model, "discriminator"));
    assert_false(lw_model_has(model, "network"));
    lw_store *store = lw_model_store(model, LW_PART_GENERATOR);
    assert_int_equal(lw_store_count(store), 3);
    assert_true(lw_store_get(store, "out.bias")->data[3] == 0.5f);
    assert_null(lw_model_store(model, LW_PART_NETWORK));
    lwi_model_destroy(model);
}

static void identity_depends_on_the_weights_alone(void **state)
{
    (void)state;
    lw_model *a = make_model(true), *b = make_model(true), *c = make_model(false);
    assert_string_equal(lw_model_identity(a), lw_model_identity(b));
    assert_string_not_equal(lw_model_identity(a), lw_model_identity(c));
    const float moved[4] = {1, 2, 3, 4};
    must(lw_store_set(lw_model_store(b, LW_PART_GENERATOR), "out.bias", LW_SHAPE(4), moved));
    lw_model_changed(b);
    assert_string_not_equal(lw_model_identity(a), lw_model_identity(b));
    assert_int_equal(strlen(lw_model_identity(a)), 16);
    lwi_model_destroy(a);
    lwi_model_destroy(b);
    lwi_model_destroy(c);
}

static void a_discriminator_of_another_size_is_refused(void **state)
{
    (void)state;
    lw_model *model = make_model(false);
    assert_int_equal(lwi_model_set_part(model, LW_PART_DISCRIMINATOR, plugin("discriminator/tiny"),
                                        args_with("discriminator/tiny", "side", "4"), NULL, NULL, 7),
                     LW_SHAPE);
    assert_error_contains("generator/tiny makes images with height 2, but discriminator/tiny takes 4");
    assert_false(lw_model_has(model, "discriminator"));
    lwi_model_destroy(model);
}

static void a_plugin_of_another_kind_is_refused(void **state)
{
    (void)state;
    lw_model *model = make_model(false);
    assert_int_equal(lwi_model_set_part(model, LW_PART_DISCRIMINATOR, plugin("generator/tiny"),
                                        args_with("generator/tiny", NULL, NULL), NULL, NULL, 7),
                     LW_INVALID);
    assert_error_contains("generator/tiny is no discriminator");
    lwi_model_destroy(model);
}

/* --- loading -------------------------------------------------------------------------------- */

static void sizes_and_prefix_are_found_in_the_weights(void **state)
{
    (void)state;
    static const char *const prefixes[] = {"", "net.", "G."};
    for (int i = 0; i < 3; i++) {
        lw_model *model = lwi_model_create("faces");
        lw_store *weights = make_weights(prefixes[i]);
        must(load(model, weights, NULL));
        lw_store_destroy(weights);
        assert_int_equal(lw_model_dim(model, "z_dim"), 5);
        assert_true(lw_store_has(lw_model_store(model, LW_PART_GENERATOR), "map.weight"));
        lwi_model_destroy(model);
    }
}

static void an_unusual_prefix_can_be_given(void **state)
{
    (void)state;
    lw_model *model = lwi_model_create("faces");
    lw_store *weights = make_weights("module.deep.");
    assert_int_equal(load(model, weights, NULL), LW_UNSUPPORTED);
    assert_error_contains("these weights are not of generator/tiny");
    assert_error_contains(
        "under the prefixes '', 'net.', 'G.'; the file has 3 tensors: 'module.deep.map.weight'");
    must(load(model, weights, "module.deep."));
    lw_store_destroy(weights);
    lwi_model_destroy(model);
}

static void all_tensors_that_do_not_fit_are_named_together(void **state)
{
    (void)state;
    lw_model *model = lwi_model_create("faces");
    lw_store *weights = lw_store_create();
    const float numbers[64] = {0};
    must(lw_store_set(weights, "map.weight", LW_SHAPE(3, 5), numbers));
    must(lw_store_set(weights, "out.weight", LW_SHAPE(9, 3), numbers));
    must(lw_store_set(weights, "bn.num_batches_tracked", LW_SCALAR, numbers));
    must(lw_store_set(weights, "stray", LW_SHAPE(2), numbers));
    assert_int_equal(load(model, weights, NULL), LW_SHAPE);
    assert_error_contains("model 'faces', generator");
    assert_error_contains("'out.weight' is [9, 3], expected [4, 3]");
    assert_error_contains("missing 'out.bias' [4]");
    assert_error_contains("1 extra tensor: 'stray'");
    assert_null(strstr(lw_error_text(), "num_batches_tracked"));
    assert_null(lw_model_store(model, LW_PART_GENERATOR));
    lw_store_destroy(weights);
    lwi_model_destroy(model);
}

static void sizes_the_weights_contradict_are_refused(void **state)
{
    (void)state;
    lw_model *model = lwi_model_create("faces");
    lw_store *weights = make_weights("");
    assert_int_equal(lwi_model_set_part(model, LW_PART_GENERATOR, plugin("generator/tiny"),
                                        args_with("generator/tiny", "z_dim", "6"), weights, NULL, 0),
                     LW_INVALID);
    assert_error_contains("parameter 'z_dim' is given as 6, but the weights have 5");
    lw_store_destroy(weights);
    lwi_model_destroy(model);
}

/* --- building ------------------------------------------------------------------------------- */

static void wrong_latents_are_refused_with_the_models_name(void **state)
{
    (void)state;
    lw_model *model = make_model(false);
    lw_graph *g = lw_graph_create();
    lw_generate(g, model, lw_input(g, "z", LW_SHAPE(8, 9)));
    assert_int_equal(lw_graph_status(g), LW_SHAPE);
    assert_error_contains("faces.generator (generator/tiny) takes z [N, 4], not [8, 9]");
    lw_graph_destroy(g);
    lwi_model_destroy(model);
}

static void a_part_the_model_lacks_is_an_error(void **state)
{
    (void)state;
    lw_model *model = make_model(false);
    lw_graph *g = lw_graph_create();
    lw_discriminate(g, model, lw_input(g, "image", LW_SHAPE(8, 1, 2, 2)));
    assert_int_equal(lw_graph_status(g), LW_UNSUPPORTED);
    assert_error_contains("model 'faces' has no discriminator");
    lw_graph_destroy(g);
    lwi_model_destroy(model);
}

static void weights_are_frozen_unless_asked_for(void **state)
{
    (void)state;
    lw_model *model = make_model(false);
    lw_store *store = lw_model_store(model, LW_PART_GENERATOR);
    lw_graph *g = lw_graph_create();
    lw_value z = lw_input(g, "z", LW_SHAPE(8, 4));
    lw_generate(g, model, z);
    assert_int_equal(lw_parameters(g, store, NULL, 0), 0);
    lw_generate(g, model, z, .trainable = true);
    assert_int_equal(lw_parameters(g, store, NULL, 0), 2); /* out.bias is a buffer */
    assert_int_equal(lw_graph_status(g), LW_OK);
    assert_false(lw_is_null(lw_tap_value(g, "faces.generator/w")));
    lw_graph_destroy(g);
    lwi_model_destroy(model);
}

static lw_value double_it(lw_graph *g, const char *tap, lw_value value, void *user)
{
    assert_string_equal(tap, "w");
    ++*(int *)user;
    return lw_affine(g, value, 2, 0);
}

static void a_tap_can_be_edited_while_building(void **state)
{
    (void)state;
    lw_model *model = make_model(false);
    lw_graph *g = lw_graph_create();
    int calls = 0;
    lw_synthesize(g, model, lw_input(g, "w", LW_SHAPE(8, 3)), .on_tap = double_it, .user = &calls);
    assert_int_equal(lw_graph_status(g), LW_OK);
    assert_int_equal(calls, 1);
    lw_graph_destroy(g);
    lwi_model_destroy(model);
}

static void networks_take_features(void **state)
{
    (void)state;
    lw_model *model = lwi_model_create("classifier");
    must(lwi_model_set_part(model, LW_PART_NETWORK, plugin("network/tiny"),
                            args_with("network/tiny", NULL, NULL), NULL, NULL, 1));
    assert_int_equal(lw_model_dim(model, "features"), 3);
    lw_graph *g = lw_graph_create();
    lw_value y = lw_apply(g, model, lw_input(g, "x", LW_SHAPE(6, 3)));
    assert_int_equal(lw_dim(g, y, 0), 6);
    lw_apply(g, model, lw_input(g, "wrong", LW_SHAPE(6, 4)));
    assert_int_equal(lw_graph_status(g), LW_SHAPE);
    assert_error_contains("takes features [N, 3], not [6, 4]");
    lw_graph_destroy(g);
    lwi_model_destroy(model);
}

/* --- losses --------------------------------------------------------------------------------- */

static lw_model *find_other(void *user, const char *name)
{
    return strcmp(name, "other") == 0 ? user : NULL;
}

static void losses_see_values_and_models_by_name(void **state)
{
    (void)state;
    lw_model *model = make_model(true), *other = make_model(true);
    lw_graph *g = lw_graph_create();
    lw_named_value values[] = {{"images", lw_input(g, "images", LW_SHAPE(8, 1, 2, 2))}};
    lw_loss_inputs inputs = {.values = values, .count = 1, .model = model, .find = find_other, .user = other};
    lw_args *plain = args_with("loss/tiny", NULL, NULL), *judged = args_with("loss/tiny", "judge", "other");
    assert_int_equal(lw_shape_of(g, lwi_loss_build(g, plugin("loss/tiny"), plain, &inputs)).rank, 0);
    assert_int_equal(lw_shape_of(g, lwi_loss_build(g, plugin("loss/tiny"), judged, &inputs)).rank, 0);
    assert_int_equal(lw_graph_status(g), LW_OK);
    assert_ptr_equal(lw_loss_model(&inputs, NULL), model);
    lw_graph_destroy(g);
    lwi_args_destroy(plain);
    lwi_args_destroy(judged);
    lwi_model_destroy(model);
    lwi_model_destroy(other);
}

static void losses_that_lack_something_say_what(void **state)
{
    (void)state;
    lw_model *model = make_model(false);
    lw_args *args = args_with("loss/tiny", NULL, NULL);
    lw_graph *g = lw_graph_create();
    lw_named_value values[] = {{"images", lw_input(g, "images", LW_SHAPE(8, 1, 2, 2))}};
    lw_loss_inputs nothing = {.model = model}, images = {.values = values, .count = 1, .model = model};
    assert_true(lw_is_null(lwi_loss_build(g, plugin("loss/tiny"), args, &images)));
    assert_int_equal(lw_graph_status(g), LW_UNSUPPORTED);
    assert_error_contains("loss/tiny needs a model with 'discriminator'; 'faces' has none");
    lw_graph_destroy(g);
    g = lw_graph_create();
    assert_true(lw_is_null(lwi_loss_build(g, plugin("loss/tiny"), args, &nothing)));
    assert_int_equal(lw_graph_status(g), LW_UNSUPPORTED);
    assert_error_contains("loss/tiny needs 'images', which this method does not offer to losses");
    lw_graph_destroy(g);
    lwi_args_destroy(args);
    lwi_model_destroy(model);
}

static void a_loss_must_be_a_scalar(void **state)
{
    (void)state;
    lw_model *model = make_model(true);
    lw_args *args = args_with("loss/tiny", "reduce", "false");
    lw_graph *g = lw_graph_create();
    lw_named_value values[] = {{"images", lw_input(g, "images", LW_SHAPE(8, 1, 2, 2))}};
    lwi_loss_build(g, plugin("loss/tiny"), args,
                   &(lw_loss_inputs){.values = values, .count = 1, .model = model});
    assert_int_equal(lw_graph_status(g), LW_SHAPE);
    assert_error_contains("loss/tiny must return a scalar, not [8, 1]");
    lw_graph_destroy(g);
    lwi_args_destroy(args);
    lwi_model_destroy(model);
}

/* --- running -------------------------------------------------------------------------------- */

/* The tiny generator in plain C: z -> pixel p = sum_k out[p, k] tanh(sum_j map[k, j] z[j]) + bias[p]. */
static float pixel(lw_store *store, const float *z, int p)
{
    const float *map = lw_store_get(store, "map.weight")->data,
                *out = lw_store_get(store, "out.weight")->data;
    double sum = lw_store_get(store, "out.bias")->data[p];
    for (int k = 0; k < 3; k++) {
        double w = 0;
        for (int j = 0; j < 4; j++)
            w += map[k * 4 + j] * (double)z[j];
        sum += out[p * 3 + k] * tanh(w);
    }
    return (float)sum;
}

static void images_come_in_batches_of_any_number(void **state)
{
    (void)state;
    lw_model *model = make_model(true);
    lw_tensor *z = lw_tensor_create(LW_SHAPE(7, 4)), *images, *scores;
    lw_normal((lw_stream){.seed = 3}, 0, 28, z->data);
    lw_store *store = lw_model_store(model, LW_PART_GENERATOR);
    for (int64_t batch = 1; batch <= 8; batch += 2) { /* 7 is no multiple of 3 and 5, and less than 8 */
        must(lw_model_images(model, device, "z", z, batch, &images, &scores));
        assert_true(lw_shape_equal(images->shape, LW_SHAPE(7, 1, 2, 2)));
        assert_true(lw_shape_equal(scores->shape, LW_SHAPE(7)));
        const float *d = lw_store_get(lw_model_store(model, LW_PART_DISCRIMINATOR), "weight")->data;
        for (int i = 0; i < 7; i++) {
            double score = 0;
            for (int p = 0; p < 4; p++) {
                assert_float_equal(images->data[i * 4 + p], pixel(store, z->data + i * 4, p), 1e-5);
                score += d[p] * (double)images->data[i * 4 + p];
            }
            assert_float_equal(scores->data[i], score, 1e-5);
        }
        lw_tensor_destroy(images);
        lw_tensor_destroy(scores);
    }
    lw_tensor_destroy(z);
    lwi_model_destroy(model);
}

static void latents_of_every_space_are_checked(void **state)
{
    (void)state;
    lw_model *model = make_model(false);
    lw_tensor *w_plus = lw_tensor_create(LW_SHAPE(2, 2, 3)), *wrong = lw_tensor_create(LW_SHAPE(2, 5)),
              *images;
    must(lw_model_images(model, device, "w+", w_plus, 4, &images, NULL));
    assert_float_equal(images->data[5], 0.5, 1e-6); /* w = 0 leaves the bias */
    lw_tensor_destroy(images);
    assert_int_equal(lw_model_images(model, device, "w", wrong, 4, &images, NULL), LW_SHAPE);
    assert_error_contains("model 'faces' takes w [M, 3], not [2, 5]");
    assert_int_equal(lw_model_images(model, device, "y", wrong, 4, &images, NULL), LW_INVALID);
    assert_error_contains("expected z, w or w+");
    lw_tensor_destroy(w_plus);
    lw_tensor_destroy(wrong);
    lwi_model_destroy(model);
}

/* --- shipping ------------------------------------------------------------------------------- */

static void a_saved_model_is_the_same_when_loaded(void **state)
{
    (void)state;
    char path[] = "/tmp/latentwalk-model-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    lw_model *model = lwi_model_create("faces"), *again = lwi_model_create("again");
    must(lwi_model_set_part(model, LW_PART_GENERATOR, plugin("generator/tiny"),
                            args_with("generator/tiny", "gain", "0.25"), NULL, NULL, 7));
    must(lwi_model_set_part(model, LW_PART_DISCRIMINATOR, plugin("discriminator/tiny"),
                            args_with("discriminator/tiny", NULL, NULL), NULL, NULL, 7));
    must(lw_model_save(model, path, LW_STORE_F32));
    lw_store *weights = lw_store_load(path);
    assert_non_null(weights);
    char id[72];
    assert_true(lwi_store_uses(weights, LW_PART_GENERATOR, id));
    assert_string_equal(id, "generator/tiny");
    assert_false(lwi_store_uses(weights, LW_PART_NETWORK, id));
    must(load(again, weights, NULL));
    must(lwi_model_set_part(again, LW_PART_DISCRIMINATOR, plugin("discriminator/tiny"),
                            args_with("discriminator/tiny", NULL, NULL), weights, NULL, 0));
    assert_string_equal(lw_model_identity(model), lw_model_identity(again));
    assert_true(lw_float(lwi_model_args(again, LW_PART_GENERATOR), "gain") == 0.25); /* from the metadata */
    lw_store_destroy(weights);
    lwi_model_destroy(model);
    lwi_model_destroy(again);
    unlink(path);
}

/* Under a prefix, or as `latentwalk import --network` leaves them. */
static void metadata_says_what_shapes_cannot_unless_the_user_does(void **state)
{
    (void)state;
    static const char *const prefixes[] = {"G.", ""};
    for (size_t i = 0; i < LW_COUNT(prefixes); i++) {
        lw_model *model = lwi_model_create("faces"), *other = lwi_model_create("other");
        lw_store *weights = make_weights(prefixes[i]);
        must(lw_store_set_metadata(weights, "latentwalk.generator",
                                   "{\"uses\": \"generator/tiny\", \"with\": {\"gain\": \"0.25\"}}"));
        must(load(model, weights, NULL));
        assert_true(lw_float(lwi_model_args(model, LW_PART_GENERATOR), "gain") == 0.25);
        must(lwi_model_set_part(other, LW_PART_GENERATOR, plugin("generator/tiny"),
                                args_with("generator/tiny", "gain", "0.5"), weights, NULL, 0));
        assert_true(lw_float(lwi_model_args(other, LW_PART_GENERATOR), "gain") == 0.5);
        lw_store_destroy(weights);
        lwi_model_destroy(model);
        lwi_model_destroy(other);
    }
}

static void broken_metadata_is_an_error(void **state)
{
    (void)state;
    static const char *const texts[][2] = {
        {"{", "is not JSON"},
        {"{\"uses\": 3}", "is not of the form"},
        {"{\"uses\": \"generator/other\", \"with\": {}}", "is generator/other, not generator/tiny"},
        {"{\"uses\": \"generator/tiny\", \"with\": {\"gian\": \"1\"}}", "did you mean 'gain'"},
        {"{\"uses\": \"generator/tiny\", \"with\": {\"gain\": 1}}", "is not a text"},
    };
    for (size_t i = 0; i < LW_COUNT(texts); i++) {
        lw_model *model = lwi_model_create("faces");
        lw_store *weights = make_weights("G.");
        must(lw_store_set_metadata(weights, "latentwalk.generator", texts[i][0]));
        assert_int_not_equal(load(model, weights, NULL), LW_OK);
        assert_error_contains(texts[i][1]);
        lw_store_destroy(weights);
        lwi_model_destroy(model);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_model_has_weights_sizes_and_capabilities),
        cmocka_unit_test(identity_depends_on_the_weights_alone),
        cmocka_unit_test(a_discriminator_of_another_size_is_refused),
        cmocka_unit_test(a_plugin_of_another_kind_is_refused),
        cmocka_unit_test(sizes_and_prefix_are_found_in_the_weights),
        cmocka_unit_test(an_unusual_prefix_can_be_given),
        cmocka_unit_test(all_tensors_that_do_not_fit_are_named_together),
        cmocka_unit_test(sizes_the_weights_contradict_are_refused),
        cmocka_unit_test(wrong_latents_are_refused_with_the_models_name),
        cmocka_unit_test(a_part_the_model_lacks_is_an_error),
        cmocka_unit_test(weights_are_frozen_unless_asked_for),
        cmocka_unit_test(a_tap_can_be_edited_while_building),
        cmocka_unit_test(networks_take_features),
        cmocka_unit_test(losses_see_values_and_models_by_name),
        cmocka_unit_test(losses_that_lack_something_say_what),
        cmocka_unit_test(a_loss_must_be_a_scalar),
        cmocka_unit_test(images_come_in_batches_of_any_number),
        cmocka_unit_test(latents_of_every_space_are_checked),
        cmocka_unit_test(a_saved_model_is_the_same_when_loaded),
        cmocka_unit_test(metadata_says_what_shapes_cannot_unless_the_user_does),
        cmocka_unit_test(broken_metadata_is_an_error),
    };
    return cmocka_run_group_tests(tests, find_plugins, forget_plugins);
}
