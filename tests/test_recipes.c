/* test_recipes.c — the training pipelines, each run small on pictures of noise: cut off by kill -9 half-way
 * and resumed, it ends with the bytes of a run that was not. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "latentwalk/latentwalk.h"
#include "program.h"

static int shell(const char *command)
{
    return system(command);
}

static int set_up(void **state)
{
    (void)state;
    const char *folder = program_folder();
    char path[512];
    setenv("W", folder, 1);
    setenv("L", LW_BUILD_DIR "/bin/latentwalk", 1);
    setenv("P", LW_SOURCE_DIR "/pipelines", 1);
    if (shell("mkdir -p $W/pictures") != 0)
        return -1;
    for (int i = 0; i < 40; i++) {
        lw_tensor *image = lw_tensor_create(LW_SHAPE(3, 16, 16));
        lw_uniform((lw_stream){.seed = (uint64_t)i}, 0, 3 * 16 * 16, image->data);
        uint8_t *png;
        size_t size;
        if (lw_image_encode_png(image, &png, &size) != LW_OK)
            return -1;
        snprintf(path, sizeof path, "%s/pictures/%02d.png", folder, i);
        if (lw_file_write(path, png, size) != LW_OK)
            return -1;
        lw_free(png);
        lw_tensor_destroy(image);
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    program_clear();
    return 0;
}

#define G " --set models.faces.generator.with."
#define D " --set models.faces.discriminator.with."
#define T " --set steps.train.with."

/* Runs pipelines/NAME.yaml at `side` pixels with further settings: once as it is, once killed in its
 * middle. */
static void expect_resumable(const char *name, int side, const char *settings)
{
    char text[2048];
    snprintf(text, sizeof text,
             "$P/%s.yaml --quiet --set steps.photos.with.path=$W/pictures --set "
             "steps.held_out.with.path=$W/pictures"
             " --set steps.photos.with.height=%d --set steps.photos.with.width=%d"
             " --set steps.held_out.with.height=%d --set steps.held_out.with.width=%d" T "iterations=12" T
             "batch=4" T "samples_every=4" T "network=null %s",
             name, side, side, side, side, settings);
    setenv("RECIPE", text, 1);
    setenv("N", name, 1);
    assert_int_equal(shell("eval \"$L run $RECIPE --out $W/$N\" >/dev/null"), 0);
    assert_int_equal(shell("test -s $W/$N/report.html && test -s $W/$N/steps/train/samples/00000012.png"), 0);
    program_interrupt(7, "steps/train/checkpoint.safetensors", SIGKILL); /* a checkpoint each iteration */
    assert_int_equal(shell("eval \"exec $L run $RECIPE --checkpoint-every 0 --out $W/$N-cut\" >/dev/null"),
                     SIGKILL);
    program_go_on();
    assert_int_equal(shell("$L resume $W/$N-cut --quiet >/dev/null"), 0);
    assert_int_equal(
        shell("cmp $W/$N/steps/train/model.safetensors $W/$N-cut/steps/train/model.safetensors && "
              "cmp $W/$N/steps/train/step.json $W/$N-cut/steps/train/step.json"),
        0);
}

/* Non-saturating loss, R1 every 4th and path length every 2nd iteration, style mixing, an average that ramps
 * up; each update of two batches. */
static void stylegan2(void **state)
{
    (void)state;
    expect_resumable("train-stylegan2", 8,
                     G "widths=[8,4]" D "widths=[8,4]" G "z_dim=8" G "w_dim=8" G "mapping_width=8" G
                       "mapping_layers=2" T "discriminator_interval=4" T "generator_interval=2" T
                       "accumulate=2");
}

/* The nearest samples' networks are kept, and the same ones after a resume. */
static void the_best_snapshot_is_kept(void **state)
{
    (void)state;
    assert_int_equal(
        shell("sed 's/^  attributes:.*/  judge: {network: {uses: cnn, with: {side: 16, widths: [4, 6]}}}/' "
              "$P/train-dcgan.yaml > $W/judged.yaml"),
        0);
    setenv("P", program_folder(), 1);
    expect_resumable("judged", 16,
                     G "depth=1" D "depth=1" G "width=4" D "width=4" G "z_dim=8" T "network=judge" T
                       "judged_samples=30");
    assert_int_equal(shell("cmp $W/$N/steps/train/best.safetensors $W/$N-cut/steps/train/best.safetensors"),
                     0);
    assert_int_equal(shell("grep -q 'Fréchet distance' $W/$N/metrics.json"), 0);
}

/* Wasserstein loss with gradient penalty and drift, growing from 4 to 8 pixels in the middle of the run. */
static void pggan(void **state)
{
    (void)state;
    expect_resumable("train-pggan", 8,
                     G "widths=[8,4]" D "widths=[8,4]" G "z_dim=8" D "features=8" T "stage_images=12" T
                       "fade_images=12");
}

/* Wasserstein loss with gradient penalty, two updates of the critic for each of the generator. */
static void wgan_gp(void **state)
{
    (void)state;
    expect_resumable("train-wgan-gp", 16,
                     G "depth=1" D "depth=1" G "width=4" D "width=4" G "z_dim=8" T "critic_updates=2");
}

/* Hinge loss with spectral normalisation, falling rates. */
static void sngan(void **state)
{
    (void)state;
    expect_resumable("train-sngan", 8,
                     G "widths=[8,4]" D "widths=[4,4]" D "halves=[1,1]" D "size=8" G "z_dim=8" T
                       "critic_updates=2");
}

/* Tensors of both networks share names here: the sums of their gradients must not. */
static void dcgan(void **state)
{
    (void)state;
    expect_resumable("train-dcgan", 16,
                     G "depth=1" D "depth=1" G "width=4" D "width=4" G "z_dim=8" T "accumulate=2");
}

/* Stages of growing and what is done now and then, as often as they will be: with 4 images an iteration 3 of
 * 10 see 4 pixels; there are ticks after 4, 8 and 10, and the samples handed over. */
static void a_dry_run_counts_what_is_not_done_each_time(void **state)
{
    (void)state;
    assert_int_equal(
        shell("cd $W && $L run " LW_SOURCE_DIR "/pipelines/train-pggan.yaml --dry-run"
              " --set steps.photos.with.path=$W/pictures --set steps.held_out.with.path=$W/pictures"
              " --set steps.photos.with.height=8 --set steps.photos.with.width=8"
              " --set steps.held_out.with.height=8 --set steps.held_out.with.width=8" G "widths=[8,4]" D
              "widths=[8,4]" G "z_dim=8" D "features=8" T "stage_images=12" T "fade_images=12" T "batch=4" T
              "network=null" T "iterations=10" T "samples_every=4 > dry.txt"),
        0);
    static const char *const counts[] = {"generator 4px .* x 3 ", "generator 8px .* x 7 ",
                                         "samples 4px .* x 0 ", "samples 8px .* x 4 "};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        char command[128];
        snprintf(command, sizeof command, "grep -q '%s' $W/dry.txt || { cat $W/dry.txt; false; }", counts[i]);
        assert_int_equal(shell(command), 0);
    }
}

/* What only the trainer can tell: before anything is trained. */
static void recipes_that_cannot_work_are_refused(void **state)
{
    (void)state;
    static const char base[] =
        "run \"$P/train-dcgan.yaml\" --quiet --set steps.photos.with.path=pictures"
        " --set steps.held_out.with.path=pictures --set steps.photos.with.height=16"
        " --set steps.photos.with.width=16 --set steps.held_out.with.height=16"
        " --set steps.held_out.with.width=16" G "depth=1" D "depth=1" G "width=4" D "width=4";
    static const char *const mistakes[][2] = {
        {T "losses='[{uses: loss/r1}]'", "losses: none of them is for the generator"},
        {T "style_mixing=0.9", "does not take a w for each layer"},
        {T "grow_from=4" T "stage_images=1" T "fade_images=1", "does not provide `grow`"},
        {T "grow_from=3", "3 px do not double to the 16"},
        {T "losses='[{uses: loss/path-length}]'", "loss/path-length needs a model with `map`"},
    };
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        char command[1024];
        snprintf(command, sizeof command, "%s%s", base, mistakes[i][0]);
        program_expect(command, i == 4 ? 2 : 1, mistakes[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recipes_that_cannot_work_are_refused),
        cmocka_unit_test(a_dry_run_counts_what_is_not_done_each_time),
        cmocka_unit_test(dcgan),
        cmocka_unit_test(sngan),
        cmocka_unit_test(wgan_gp),
        cmocka_unit_test(pggan),
        cmocka_unit_test(stylegan2),
        cmocka_unit_test(the_best_snapshot_is_kept),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
