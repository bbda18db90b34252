/* test_sent_gen_pipelines.c — pipelines/sent-gen, each run small. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "model/model.h"
#include "plugins.h"
#include "program.h"

/* A generator of faces' size, and a network that tells three things of its pictures. */
static void make_models(void)
{
    const char *small[] = {"width=4", "z_dim=6", NULL};
    const char *labels[] = {"labels=[smile, age=0..100, yaw=-45..45]", "widths=[4, 8]", "blocks=[0, 1]",
                            NULL};
    lw_model *faces = test_model("faces", LW_PART_GENERATOR, "generator/dcgan", small);
    lw_model *judge = test_model("judge", LW_PART_NETWORK, "network/resnet", labels);
    test_strengthen(faces, LW_PART_GENERATOR, 10);
    test_strengthen(judge, LW_PART_NETWORK, 5);
    char *path = lw_format("%s/faces.safetensors", program_folder());
    test_must(lw_model_save(faces, path, LW_STORE_F32));
    lw_free(path);
    path = lw_format("%s/judge.safetensors", program_folder());
    test_must(lw_model_save(judge, path, LW_STORE_F32));
    lw_free(path);
    lwi_model_destroy(faces);
    lwi_model_destroy(judge);
}

static int set_up(void **state)
{
    (void)state;
    make_models();
    setenv("W", program_folder(), 1);
    setenv("L", LW_BUILD_DIR "/bin/latentwalk", 1);
    setenv("P", LW_SOURCE_DIR "/pipelines/sent-gen", 1);
    setenv("MODELS",
           "--set models.faces.generator=dcgan --set models.faces.weights=$W/faces.safetensors --set "
           "models.regressor.weights=$W/judge.safetensors --set models.judge.weights=$W/judge.safetensors "
           "--set models.features.weights=$W/judge.safetensors",
           1);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    program_clear();
    return 0;
}

/* Settings that make the step's training small. */
#define SMALL(id)                                                                          \
    " --set steps." id ".with.latents=64 --set steps." id ".with.pairs=64 --set steps." id \
    ".with.iterations=6 --set steps." id ".with.batch=4"

/* $R: the pipeline's other settings, with the small models. */
static int run(const char *name, const char *settings)
{
    char command[1024];
    setenv("R", settings, 1);
    snprintf(command, sizeof command, "eval \"$L run $P/%s.yaml --quiet --out $W/%s $MODELS $R\" >/dev/null",
             name, name);
    return system(command);
}

static void networks_are_trained_and_resumed_to_the_same_bytes_and_applied_in_stages(void **state)
{
    (void)state;
    const char *small = "--set steps.start.with.count=2" SMALL("smile") SMALL("age") SMALL("yaw");
    assert_int_equal(run("train", small), 0);
    program_interrupt(3, "steps/age/checkpoint.safetensors", SIGKILL);
    assert_int_equal(system("eval \"exec $L run $P/train.yaml $MODELS $R --quiet --checkpoint-every 0 --out "
                            "$W/cut\" >/dev/null"),
                     SIGKILL);
    program_go_on();
    assert_int_equal(system("$L resume $W/cut --quiet >/dev/null"), 0);
    assert_int_equal(
        system(
            "for s in smile age yaw; do for f in traversal.safetensors step.json "
            "outputs/walk.safetensors; do cmp $W/train/steps/$s/$f $W/cut/steps/$s/$f || exit 1; done; done; "
            "test -s $W/train/report.html"),
        0);
    assert_int_equal(run("apply", "--set steps.start.with.count=2 $(for s in smile age yaw; do echo --set "
                                  "steps.$s.with.file=$W/train/steps/$s/traversal.safetensors; done) --set "
                                  "steps.smile-then-age.with.file=$W/train/steps/age/traversal.safetensors"),
                     0);
    assert_int_equal(system("test -s $W/apply/steps/smile-then-age/outputs/walk.safetensors"), 0);
}

/* Two runs of each method, whose numbers come in one row. */
static void methods_are_compared_at_equal_distances(void **state)
{
    (void)state;
    const char *small =
        "--set 'matrix.run={1: {}, 2: {}}' --set 'matrix.method={interfacegan: {uses: "
        "method/interfacegan}, directional-gan: {uses: method/directional-gan, with: "
        "{attributes: [0]}}}' --set steps.start.with.count=8 --set "
        "steps.examples.with.count=200 --set 'steps.more-smile-by-sent-gen.with.ranges=[0.001, 1000]'" SMALL(
            "traverse");
    assert_int_equal(run("more-smile", small), 0);
    assert_int_equal(system("for m in sent-gen interfacegan directional-gan; do "
                            "grep -q more-smile-by-$m $W/more-smile/metrics.json || exit 1; done; "
                            "grep -q '± change of smile %' $W/more-smile/metrics.json"),
                     0);
}

static void sparsity_and_variants_are_swept(void **state)
{
    (void)state;
#define ONE_RUN "--set 'matrix.run={1: {}}' --set steps.start.with.count=4" SMALL("smile")
    assert_int_equal(run("gamma", ONE_RUN " --set 'matrix.gamma=[0.2, 1.0]'"), 0);
    assert_int_equal(run("variants", ONE_RUN), 0);
    assert_int_equal(
        system("grep -q gamma-0_2 $W/gamma/metrics.json && grep -q by-mlp $W/variants/metrics.json"), 0);
}

static void mistakes_are_found_before_anything_runs(void **state)
{
    (void)state;
    const char *age = LW_SOURCE_DIR "/pipelines/sent-gen/less-age.yaml";
    char command[1024];
    snprintf(command, sizeof command, "check %s", age);
    program_expect(command, 0, "fine");
    snprintf(command, sizeof command, "check %s --set steps.traverse.with.others=[smil]", age);
    program_expect(command, 2, "has no label 'smil'; did you mean 'smile'?");
    snprintf(command, sizeof command, "check %s --set steps.traverse.with.gamma=1.5", age);
    program_expect(command, 2, "'gamma' is '1.5': expected a number from 0 to 1");
    snprintf(command, sizeof command, "check %s --set steps.less-age-by-sent-gen.with.ranges=[3,1]", age);
    program_expect(command, 2, "ranges: 1 does not come after 3");
    snprintf(command, sizeof command, "check %s --set steps.traverse.with.file=%s", age, age);
    program_expect(command, 2, "others: it is for training, but `file` names a network trained already");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(networks_are_trained_and_resumed_to_the_same_bytes_and_applied_in_stages),
        cmocka_unit_test(methods_are_compared_at_equal_distances),
        cmocka_unit_test(sparsity_and_variants_are_swept),
        cmocka_unit_test(mistakes_are_found_before_anything_runs),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
