/* test_parity_dcgan.c — the DCGAN plugins and TrajectoryNet against numbers of the official implementations:
 * images within 1e-4 of their standard deviation, gradients within 1e-3, on both dense back ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../plugins/methods/trajectory-net/trajectory.h"
#include "fixture.h"
#include "plugin/args.h"
#include "plugins.h"

/* images, features, scores and the latents' gradient of a pytorch_GAN_zoo checkpoint */
static void check_zoo(const char *name, const char *output, const char *blas)
{
    fixture f;
    fixture_open(&f, name, blas);
    const char *with[] = {output, NULL};
    fixture_part(&f, LW_PART_GENERATOR, "generator/dcgan", NULL, with); /* finds avgG */
    fixture_part(&f, LW_PART_DISCRIMINATOR, "discriminator/dcgan", NULL, NULL);
    lw_graph *g = lw_graph_create();
    lw_value z = fixture_constant(&f, g, "z"), gradient = {0};
    lw_value image = lw_generate(g, f.model, z);
    char tap[64];
    snprintf(tap, sizeof tap, "%s.generator/format", name);
    lw_value format = lw_tap_value(g, tap);
    snprintf(tap, sizeof tap, "%s.generator/block1", name);
    lw_value block1 = lw_tap_value(g, tap);
    lw_gradient(g, image, fixture_constant(&f, g, "grad_out"), &z, 1, &gradient);
    lw_value score = lw_discriminate(g, f.model, fixture_constant(&f, g, "image"));
    snprintf(tap, sizeof tap, "%s.discriminator/features", name);
    /* The scores lie so close (2e-4 is a deviation) that 1e-4 of that is the rounding of the terms they
     * sum. */
    const fixture_check checks[] = {
        {"image", image, FIXTURE_IMAGE},       {"feat_formatLayer", format, FIXTURE_IMAGE},
        {"feat_relu1", block1, FIXTURE_IMAGE}, {"grad_z", gradient, FIXTURE_GRADIENT},
        {"D_score", score, 2 * FIXTURE_IMAGE}, {"D_feat", lw_tap_value(g, tap), FIXTURE_IMAGE},
    };
    fixture_run(&f, g, checks, 6);
    lw_graph_destroy(g);
    fixture_close(&f);
}

static void zoo_dcgan_matches(void **state)
{
    (void)state;
    check_zoo("dcgan_zoo", "output=tanh", "native");
}

static void zoo_dcgan_matches_as_on_a_gpu(void **state)
{
    (void)state;
    check_zoo("dcgan_zoo", "output=tanh", "gpu");
}

static void zoo_wgangp_matches_without_tanh(void **state)
{
    (void)state;
    check_zoo("wgangp_zoo", "output=none", "native");
}

static void zoo_raw_generator_is_found_by_its_prefix(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, "dcgan_zoo", "native");
    fixture_part(&f, LW_PART_GENERATOR, "generator/dcgan", "netG.", NULL);
    lw_graph *g = lw_graph_create();
    const fixture_check check = {"image_netG", lw_generate(g, f.model, fixture_constant(&f, g, "z")),
                                 FIXTURE_IMAGE};
    fixture_run(&f, g, &check, 1);
    lw_graph_destroy(g);
    fixture_close(&f);
}

/* pytorch_GAN_zoo's test() without eval(): on a whole batch of one image repeated, batch norm sees no spread
 * but the map's own, so every copy gives the same picture, and not the one of the running statistics. */
static void batch_statistics_come_from_the_batch(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, "dcgan_zoo", "native");
    const char *with[] = {"statistics=batch", NULL};
    fixture_part(&f, LW_PART_GENERATOR, "generator/dcgan", NULL, with);
    lw_graph *g = lw_graph_create();
    lw_value z = lw_slice(g, fixture_constant(&f, g, "z"), 0, 0, 1, 1);
    lw_value image = lw_generate(g, f.model, lw_broadcast(g, z, LW_SHAPE(3, lw_dim(g, z, 1))));
    lw_value official = lw_slice(g, fixture_constant(&f, g, "image"), 0, 0, 1, 1);
    lw_output(g, "spread", lw_max(g, lw_variance(g, image, LW_AXIS(0), false, false), LW_ALL_AXES, false));
    lw_output(g, "away", lw_mean(g, lw_abs(g, lw_sub(g, image, official)), LW_ALL_AXES, false));
    lw_program *program = lw_compile(g, f.device);
    float spread, away;
    test_must(lw_program_run(program));
    test_must(lw_program_read(program, "spread", &spread, 1));
    test_must(lw_program_read(program, "away", &away, 1));
    assert_true(spread < 1e-10f);
    assert_true(away > 1e-2f);
    lw_program_destroy(program);
    lw_graph_destroy(g);
    fixture_close(&f);
}

static void lategan_matches(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, "lategan", "native");
    fixture_part(&f, LW_PART_GENERATOR, "generator/dcgan", NULL, NULL);
    fixture_part(&f, LW_PART_DISCRIMINATOR, "discriminator/dcgan", NULL, NULL);
    lw_graph *g = lw_graph_create();
    lw_value z = fixture_constant(&f, g, "z"), gradient = {0};
    lw_value image = lw_generate(g, f.model, z);
    lw_gradient(g, image, fixture_constant(&f, g, "grad_out"), &z, 1, &gradient);
    lw_value score = lw_discriminate(g, f.model, fixture_constant(&f, g, "image"));
    lw_value block1 = lw_tap_value(g, "lategan.generator/block1");
    const fixture_check checks[] = {{"image", image, FIXTURE_IMAGE},
                                    {"feat_block1", block1, FIXTURE_IMAGE},
                                    {"grad_z", gradient, FIXTURE_GRADIENT},
                                    {"D_prob", lw_sigmoid(g, score), FIXTURE_IMAGE}};
    fixture_run(&f, g, checks, 4);
    lw_graph_destroy(g);
    fixture_close(&f);
}

/* The official walk, its two losses and their gradients to every weight of the network. */
static void trajectory_net_matches(void **state)
{
    (void)state;
    fixture f;
    fixture_open(&f, "lategan", "native");
    fixture_part(&f, LW_PART_GENERATOR, "generator/dcgan", NULL, NULL);
    fixture_part(&f, LW_PART_DISCRIMINATOR, "discriminator/dcgan", NULL, NULL);
    const char *with[] = {"points=4", NULL};
    lw_args *args = test_args("method/trajectory-net", with);

    lw_graph *g = lw_graph_create();
    lw_scope scope = {.size = sizeof(lw_scope),
                      .plugin = "method/trajectory-net",
                      .model = "trajectory",
                      .prefix = "T.",
                      .store = f.weights};
    lw_scope_push(g, &scope);
    lw_value walk = trajectory(g, args, fixture_constant(&f, g, "traj_z0"));
    lw_scope_pop(g);
    lw_value score = lw_discriminate(g, f.model, lw_generate(g, f.model, lw_merge(g, walk, 0, 1)));
    lw_value realism = lw_neg(g, lw_mean(g, lw_sigmoid(g, score), LW_ALL_AXES, false));
    lw_value step = lw_sub(g, lw_slice(g, walk, 1, 1, 3, 1), lw_slice(g, walk, 1, 0, 3, 1));
    lw_value smooth = lw_mean(g, lw_square(g, step), LW_ALL_AXES, false);
    lw_value total = lw_add(g, realism, lw_affine(g, smooth, 0.1, 0));
    lw_value weights[4], gradients[4];
    assert_int_equal(lw_parameters(g, f.weights, weights, 4), 4);
    assert_int_equal(lw_gradient(g, total, (lw_value){0}, weights, 4, gradients), LW_OK);
    lw_value smoothed = trajectory_smooth(g, "notebook", walk);
    const fixture_check checks[] = {
        {"traj", walk, FIXTURE_IMAGE},
        {"loss_realism", realism, FIXTURE_IMAGE},
        {"loss_smooth", smooth, FIXTURE_IMAGE},
        {"loss_total", total, FIXTURE_IMAGE},
        {"grad_traj_fc.0.weight", gradients[0], FIXTURE_GRADIENT},
        {"grad_traj_fc.0.bias", gradients[1], FIXTURE_GRADIENT},
        {"grad_traj_fc.2.weight", gradients[2], FIXTURE_GRADIENT},
        {"grad_traj_fc.2.bias", gradients[3], FIXTURE_GRADIENT},
        {"traj_smoothed_notebook", smoothed, FIXTURE_IMAGE},
    };
    fixture_run(&f, g, checks, 9);
    lw_graph_destroy(g);
    lwi_args_destroy(args);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zoo_dcgan_matches),
        cmocka_unit_test(zoo_dcgan_matches_as_on_a_gpu),
        cmocka_unit_test(zoo_wgangp_matches_without_tanh),
        cmocka_unit_test(zoo_raw_generator_is_found_by_its_prefix),
        cmocka_unit_test(batch_statistics_come_from_the_batch),
        cmocka_unit_test(lategan_matches),
        cmocka_unit_test(trajectory_net_matches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
