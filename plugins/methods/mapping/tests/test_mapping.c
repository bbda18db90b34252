/* test_mapping.c — w and w+ are what the generator's mapping makes of each z. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "model/model.h"
#include "plugins.h"
#include "step_harness.h"

#include <string.h>

enum { COUNT = 300, Z = 3, W = 4, LAYERS = 2 }; /* more than one batch */

static void every_latent_is_mapped(void **state)
{
    (void)state;
    lw_device *device = lw_device_open("cpu", "native");
    lw_model *model = test_model(
        "m", LW_PART_GENERATOR, "generator/stylegan2",
        (const char *[]){"widths=[4]", "z_dim=3", "w_dim=4", "mapping_width=4", "mapping_layers=2", NULL});
    lw_tensor *z = lw_tensor_create(LW_SHAPE(COUNT, Z));
    lw_normal((lw_stream){.seed = 1}, 0, COUNT * Z, z->data);
    lw_graph *g = lw_graph_create();
    lw_output(g, "w", lw_map(g, model, lw_input(g, "z", z->shape)));
    lw_program *program = lw_compile(g, device);
    test_must(lw_program_write(program, "z", z->data, COUNT * Z));
    test_must(lw_program_run(program));
    lw_tensor *expected = lw_program_read_tensor(program, "w");
    for (int plus = 0; plus < 2; plus++) {
        harness h;
        harness_open(&h, "method/mapping");
        h.device = device;
        h.model = model;
        harness_set(&h, "model", "m");
        harness_set(&h, "space", plus ? "w+" : "w");
        harness_input(&h, "z", "start.z", "z", z);
        test_must(harness_run(&h));
        const lw_tensor *out = harness_output(&h, "latents");
        const int layers = plus ? LAYERS : 1;
        assert_true(lw_shape_equal(out->shape, plus ? LW_SHAPE(COUNT, LAYERS, W) : LW_SHAPE(COUNT, W)));
        for (int i = 0; i < COUNT * layers * W; i++)
            assert_float_equal(out->data[i], expected->data[i / (layers * W) * W + i % W], 1e-6);
        lwi_port_type type;
        test_must(lwi_resolve(&h.bindings, &h.plugin->outputs[0], &type));
        assert_string_equal(type.space, plus ? "w+" : "w");
        harness_close(&h);
    }
    lw_tensor_destroy(expected);
    lw_program_destroy(program);
    lw_graph_destroy(g);
    lw_tensor_destroy(z);
    lwi_model_destroy(model);
    lw_device_close(device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_latent_is_mapped)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
