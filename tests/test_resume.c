/* test_resume.c — a run that was cancelled or killed goes on to the bytes it would have reached. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <latentwalk/latentwalk.h>

#include "program.h"

static char folder[] = "/tmp/lw-resume-XXXXXX";

static const char pipeline[] = "latentwalk: 1\n"
                               "seed: 3\n"
                               "models:\n"
                               "  faces:\n"
                               "    generator: {uses: dcgan, with: {depth: 1, width: 4, z_dim: 8}}\n"
                               "    discriminator: {uses: dcgan, with: {depth: 1, width: 4}}\n"
                               "steps:\n"
                               "  - {id: start, uses: source/latents, with: {model: faces, count: 3}}\n"
                               "  - id: walk\n"
                               "    uses: method/trajectory-net\n"
                               "    with: {model: faces, points: 4, hidden: [8], iterations: 2000}\n"
                               "    inputs: {z: start.z}\n"
                               "  - {id: grid, uses: sink/image-grid, inputs: {images: walk.images}}\n";

static char *in_folder(const char *name)
{
    static char paths[4][160];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
    return path;
}

/* Starts the program without waiting; its output is dropped. */
static pid_t start(const char *const *arguments)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child > 0)
        return child;
    char *words[16] = {(char *)(uintptr_t) "latentwalk"};
    for (int i = 0; arguments[i]; i++)
        words[i + 1] = (char *)(uintptr_t)arguments[i];
    int null = open("/dev/null", O_WRONLY);
    dup2(null, 1);
    dup2(null, 2);
    if (chdir(folder) == 0)
        execv(LW_BUILD_DIR "/bin/latentwalk", words);
    _exit(99);
}

static int wait_for(pid_t child)
{
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static int call(const char *const *arguments)
{
    return wait_for(start(arguments));
}

/* Runs the program until it is about to put the `number`-th file whose path ends in `suffix` into place, and
 * gets the signal. */
static int call_interrupted(const char *const *arguments, int number, const char *suffix, int signal)
{
    program_interrupt(number, suffix, signal);
    int status = call(arguments);
    program_go_on();
    return status;
}

static void pause_ms(long ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    while (nanosleep(&t, &t) != 0 && errno == EINTR) {
    }
}

/* Waits until the child has made a file, or is done. */
static void wait_for_file(pid_t child, const char *path)
{
    siginfo_t ended = {0};
    while (access(path, F_OK) != 0 && ended.si_pid == 0) {
        pause_ms(10);
        assert_int_equal(waitid(P_PID, (id_t)child, &ended, WEXITED | WNOHANG | WNOWAIT), 0);
    }
}

static void assert_same(const char *run, const char *file)
{
    char command[512];
    snprintf(command, sizeof(command), "cmp %s/whole/%s %s/%s/%s", folder, file, folder, run, file);
    if (system(command) != 0)
        fail_msg("%s of '%s' differs from the undisturbed run's", file, run);
}

static void assert_same_results(const char *run)
{
    static const char *const files[] = {"metrics.json",
                                        "steps/start/outputs/z.safetensors",
                                        "steps/walk/outputs/walk.safetensors",
                                        "steps/walk/outputs/images.safetensors",
                                        "steps/walk/step.json",
                                        "steps/grid/grid.png"};
    for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
        assert_same(run, files[i]);
}

static void a_killed_run_ends_with_the_same_bytes(void **state)
{
    (void)state;
    const char *run[] = {"run", "p.yaml", "--out", "killed", "--checkpoint-every", "0", NULL};
    assert_int_equal(call_interrupted(run, 5, "walk/checkpoint.safetensors", SIGKILL), 1000 + SIGKILL);
    assert_int_equal(access(in_folder("killed/steps/walk/checkpoint.safetensors"), F_OK), 0);
    assert_int_not_equal(access(in_folder("killed/steps/walk/step.json"), F_OK), 0);
    const char *resume[] = {"resume", "killed", NULL};
    assert_int_equal(call(resume), 0);
    assert_same_results("killed");
    assert_int_not_equal(access(in_folder("killed/steps/walk/checkpoint.safetensors"), F_OK), 0);
}

/* Starts `run`; from its first checkpoint on kills it `times`, each time after `ms`, wherever that finds it,
 * and resumes it to its end. */
static void kill_again_and_again(const char **run, const char **resume, const char *checkpoint, int times,
                                 int ms)
{
    pid_t child = start(run);
    wait_for_file(child, in_folder(checkpoint));
    for (int i = 0; i < times; i++) {
        pause_ms(ms);
        kill(child, SIGKILL);
        wait_for(child);
        child = start(resume);
        pause_ms(300);
    }
    int status = wait_for(child);
    assert_true(status == 0 || status == 2); /* 2: it was done before the last kill */
}

static void a_run_killed_again_and_again_ends_with_the_same_bytes(void **state)
{
    (void)state;
    const char *run[] = {"run", "p.yaml", "--out", "often", "--checkpoint-every", "0", NULL};
    const char *resume[] = {"resume", "often", "--checkpoint-every", "0.02", NULL};
    kill_again_and_again(run, resume, "often/steps/walk/checkpoint.safetensors", 4, 40);
    assert_same_results("often");
}

static void ctrl_c_writes_a_checkpoint_and_says_so(void **state)
{
    (void)state;
    const char *run[] = {"run", "p.yaml", "--out", "cancelled", "--checkpoint-every", "0", NULL};
    assert_int_equal(call_interrupted(run, 5, "walk/checkpoint.safetensors", SIGINT), 130);
    assert_int_equal(access(in_folder("cancelled/steps/walk/checkpoint.safetensors"), F_OK), 0);
    char command[256];
    snprintf(command, sizeof(command), "grep -q '\"state\": \"cancelled\"' %s",
             in_folder("cancelled/run.json"));
    assert_int_equal(system(command), 0);
    const char *resume[] = {"resume", "cancelled", NULL};
    assert_int_equal(call(resume), 0);
    assert_same_results("cancelled");
}

static void a_resume_refuses_what_has_changed_unless_forced(void **state)
{
    (void)state;
    const char *run[] = {"run", "p.yaml", "--out", "changed", "--checkpoint-every", "0", NULL};
    assert_int_equal(call_interrupted(run, 5, "walk/checkpoint.safetensors", SIGTERM), 130);
    char command[512];
    snprintf(command, sizeof(command),
             "sed -i '/method\\/trajectory-net/,/hash/s/\"hash\": \".*\"/\"hash\": \"0123456789abcdef\"/' %s",
             in_folder("changed/run.json"));
    assert_int_equal(system(command), 0);
    const char *resume[] = {"resume", "changed", NULL}, *force[] = {"resume", "changed", "--force", NULL};
    assert_int_equal(call(resume), 2);
    assert_int_equal(call(force), 0);
    assert_same_results("changed");
    snprintf(command, sizeof(command), "grep -q '0123456789abcdef, is now' %s",
             in_folder("changed/run.json"));
    assert_int_equal(system(command), 0);
}

static void a_broken_checkpoint_is_refused(void **state)
{
    (void)state;
    const char *run[] = {"run", "p.yaml", "--out", "broken", "--checkpoint-every", "0", NULL};
    assert_int_equal(call_interrupted(run, 2, "walk/checkpoint.safetensors", SIGKILL), 1000 + SIGKILL);
    FILE *file = fopen(in_folder("broken/steps/walk/checkpoint.safetensors"), "w");
    assert_non_null(file);
    fputs("no checkpoint", file);
    fclose(file);
    const char *resume[] = {"resume", "broken", NULL};
    assert_int_equal(call(resume), 1);
}

/* Training changes a model that later steps use: they must see the trained weights after a resume too. */
static void a_trained_model_is_taken_up_with_the_run(void **state)
{
    (void)state;
    if (access(LW_SOURCE_DIR "/../shared/data/celeba64.zip", R_OK) != 0) {
        print_message("skipped: ../shared/data/celeba64.zip is not here\n");
        skip();
    }
    FILE *file = fopen(in_folder("train.yaml"), "w");
    assert_non_null(file);
    fputs("latentwalk: 1\n"
          "models:\n"
          "  faces:\n"
          "    generator: {uses: dcgan, with: {depth: 1, width: 4, z_dim: 8}}\n"
          "    discriminator: {uses: dcgan, with: {depth: 1, width: 4}}\n"
          "steps:\n"
          "  - id: photos\n"
          "    uses: source/image-folder\n"
          "    with: {path: " LW_SOURCE_DIR
          "/../shared/data/celeba64.zip, height: 16, width: 16, part: held-out}\n"
          "  - {id: train, uses: method/gan-trainer, with: {model: faces, iterations: 6, batch: 4},"
          " inputs: {images: photos.dataset}}\n"
          "  - {id: start, uses: source/latents, with: {model: faces, count: 3}}\n"
          "  - id: walk\n"
          "    uses: method/trajectory-net\n"
          "    with: {model: faces, points: 4, hidden: [8], iterations: 1000}\n"
          "    inputs: {z: start.z}\n",
          file);
    fclose(file);
    const char *whole[] = {"run", "train.yaml", "--out", "trained", NULL};
    assert_int_equal(call(whole), 0);
    const char *run[] = {"run", "train.yaml", "--out", "trained-killed", "--checkpoint-every", "0", NULL};
    assert_int_equal(call_interrupted(run, 2, "walk/checkpoint.safetensors", SIGKILL), 1000 + SIGKILL);
    const char *resume[] = {"resume", "trained-killed", NULL};
    assert_int_equal(call(resume), 0);
    char command[512];
    snprintf(command, sizeof(command),
             "cd %s && cmp trained/steps/walk/outputs/images.safetensors "
             "trained-killed/steps/walk/outputs/images.safetensors && cmp trained/metrics.json "
             "trained-killed/metrics.json",
             folder);
    assert_int_equal(system(command), 0);
}

/* Twenty-four pictures of noise, and a table of two labels, one of them often missing. */
static void make_labelled_pictures(void)
{
    FILE *table = fopen(in_folder("labels.csv"), "w");
    assert_non_null(table);
    fputs("file,split,Bright,age\n", table);
    for (int i = 0; i < 24; i++) {
        char name[32];
        snprintf(name, sizeof(name), "%02d.png", i);
        fprintf(table, "%s,%s,%d,", name, i < 16 ? "train" : "val", i % 2);
        fprintf(table, i % 3 ? "\n" : "%d\n", 20 + i);
        lw_tensor *image = lw_tensor_create(LW_SHAPE(3, 16, 16));
        uint8_t *png;
        size_t size;
        assert_non_null(image);
        lw_uniform((lw_stream){.seed = (uint64_t)i}, 0, 3 * 16 * 16, image->data);
        assert_int_equal(lw_image_encode_png(image, &png, &size), LW_OK);
        assert_int_equal(lw_file_write(in_folder(name), png, size), LW_OK);
        lw_free(png);
        lw_tensor_destroy(image);
    }
    fclose(table);
}

/* Best weights, patience and the schedule are taken up too. */
static void a_killed_training_of_a_network_ends_with_the_same_bytes(void **state)
{
    (void)state;
    make_labelled_pictures();
    FILE *file = fopen(in_folder("network.yaml"), "w");
    assert_non_null(file);
    fputs(
        "latentwalk: 1\n"
        "models:\n"
        "  judge:\n"
        "    network: {uses: resnet, with: {labels: [Bright, age=0..100], side: 16, widths: [4, 4],"
        " blocks: [0, 1]}}\n"
        "steps:\n"
        "  - id: photos\n"
        "    uses: source/image-folder\n"
        "    with: {path: ., list: labels.csv, where: [split=train], labels: ['*'], height: 16, width: 16}\n"
        "  - id: held_out\n"
        "    uses: source/image-folder\n"
        "    with: {path: ., list: labels.csv, where: [split=val], labels: ['*'], height: 16, width: 16}\n"
        "  - id: train\n"
        "    uses: method/network-trainer\n"
        "    with: {model: judge, epochs: 200, batch: 4, patience: 150, shift: 1}\n"
        "    inputs: {images: photos.dataset, validation: held_out.dataset}\n"
        "  - id: test\n"
        "    uses: metric/predictions\n"
        "    with: {model: judge}\n"
        "    inputs: {images: held_out.dataset}\n",
        file);
    fclose(file);
    const char *whole[] = {"run", "network.yaml", "--out", "network", NULL};
    assert_int_equal(call(whole), 0);
    const char *run[] = {"run", "network.yaml", "--out", "network-killed", "--checkpoint-every", "0", NULL};
    const char *resume[] = {"resume", "network-killed", "--checkpoint-every", "0.02", NULL};
    kill_again_and_again(run, resume, "network-killed/steps/train/checkpoint.safetensors", 3, 200);
    char command[512];
    snprintf(
        command, sizeof(command),
        "cd %s && cmp network/steps/train/model.safetensors network-killed/steps/train/model.safetensors && "
        "cmp network/metrics.json network-killed/metrics.json && "
        "cmp network/steps/train/step.json network-killed/steps/train/step.json",
        folder);
    assert_int_equal(system(command), 0);
}

/* Components and their regression; walks that curve, with the vectors they follow; walks within bounds, with
 * their aims. Each is killed in its middle. */
static void killed_finders_and_walks_end_with_the_same_bytes(void **state)
{
    static const char *const steps[] = {"find", "curve", "walk"};
    (void)state;
    FILE *file = fopen(in_folder("walks.yaml"), "w");
    assert_non_null(file);
    fputs("latentwalk: 1\n"
          "models:\n"
          "  m: {generator: {uses: stylegan2, with: {widths: [4, 4], z_dim: 8, w_dim: 8, mapping_width: 8, "
          "mapping_layers: 2}}}\n"
          "steps:\n"
          "  - {id: start, uses: source/latents, with: {model: m, count: 3}}\n"
          "  - id: find\n"
          "    uses: method/ganspace\n"
          "    with: {model: m, tap: affine1, count: 3, samples: 10000, batch: 50}\n"
          "  - id: curve\n"
          "    uses: method/iterative-curve-traversal\n"
          "    with: {model: m, basis: 0, iterations: 400, distance: 0.01, keep: [1, 200, 400]}\n"
          "    inputs: {z: start.z}\n"
          "  - id: walk\n"
          "    uses: method/bounded-local-space\n"
          "    with: {model: m, iterations: 400, distance: 0.1, keep: [1, 200, 400]}\n"
          "    inputs: {z: start.z}\n",
          file);
    fclose(file);
    const char *whole[] = {"run", "walks.yaml", "--out", "walks", NULL};
    assert_int_equal(call(whole), 0);
    for (int i = 0; i < 3; i++) {
        char run_name[32], checkpoint[64], command[1024];
        snprintf(run_name, sizeof run_name, "killed-%s", steps[i]);
        snprintf(checkpoint, sizeof checkpoint, "%s/steps/%s/checkpoint.safetensors", run_name, steps[i]);
        const char *run[] = {"run", "walks.yaml", "--out", run_name, "--checkpoint-every", "0", NULL};
        const char *resume[] = {"resume", run_name, "--checkpoint-every", "0.02", NULL};
        kill_again_and_again(run, resume, checkpoint, 2, 40);
        snprintf(
            command, sizeof command,
            "cd %s && cmp walks/metrics.json %s/metrics.json && for f in find/directions.safetensors "
            "find/outputs/directions.safetensors curve/step.json curve/outputs/walk.safetensors "
            "walk/step.json "
            "walk/outputs/walk.safetensors walk/outputs/aims.safetensors walk/outputs/images.safetensors; do "
            "cmp walks/steps/$f %s/steps/$f || exit 1; done",
            folder, run_name, run_name);
        assert_int_equal(system(command), 0);
    }
}

/* Directions in training, by one of the methods that learn them. */
static void directions_resume(const char *name, const char *method)
{
    char file[64], killed[64], checkpoint[128], command[1024];
    snprintf(file, sizeof file, "%s.yaml", name);
    snprintf(killed, sizeof killed, "%s-killed", name);
    snprintf(checkpoint, sizeof checkpoint, "%s/steps/find/checkpoint.safetensors", killed);
    FILE *out = fopen(in_folder(file), "w");
    assert_non_null(out);
    fprintf(out,
            "latentwalk: 1\n"
            "models:\n"
            "  m: {generator: {uses: dcgan, with: {depth: 1, width: 4, z_dim: 8}}}\n"
            "steps:\n"
            "  - {id: start, uses: source/latents, with: {model: m, count: 2}}\n"
            "  - {id: find, uses: %s}\n",
            method);
    fclose(out);
    const char *whole[] = {"run", file, "--out", name, NULL};
    assert_int_equal(call(whole), 0);
    const char *run[] = {"run", file, "--out", killed, "--checkpoint-every", "0", NULL};
    const char *resume[] = {"resume", killed, "--checkpoint-every", "0.02", NULL};
    kill_again_and_again(run, resume, checkpoint, 3, 40);
    snprintf(command, sizeof command,
             "cd %s && cmp %s/steps/find/directions.safetensors %s/steps/find/directions.safetensors && "
             "cmp %s/steps/find/step.json %s/steps/find/step.json",
             folder, name, killed, name, killed);
    assert_int_equal(system(command), 0);
}

static void a_killed_search_by_dp_lase_ends_with_the_same_bytes(void **state)
{
    (void)state;
    directions_resume("dp-lase", "method/dp-lase, with: {model: m, tap: block0, count: 4, iterations: 600, "
                                 "density_width: 8, correction_width: 8}, inputs: {z: start.z}");
}

/* Batch statistics are taken up too. */
static void a_killed_latent_discovery_ends_with_the_same_bytes(void **state)
{
    (void)state;
    directions_resume("discovery", "method/latent-discovery, with: {model: m, count: 4, iterations: 300, "
                                   "batch: 4, width: 1, judged: 3}");
}

/* Weights that fly apart end the run; the checkpoint before that is kept, and is finite. */
static void a_loss_that_is_no_number_leaves_the_last_checkpoint(void **state)
{
    (void)state;
    FILE *out = fopen(in_folder("diverge.yaml"), "w");
    assert_non_null(out);
    fputs("latentwalk: 1\n"
          "models:\n"
          "  m: {generator: {uses: dcgan, with: {depth: 1, width: 4, z_dim: 8}}}\n"
          "steps:\n"
          "  - {id: start, uses: source/latents, with: {model: m, count: 2}}\n"
          "  - {id: find, uses: method/dp-lase, with: {model: m, tap: block0, count: 4, density_width: 8, "
          "correction_width: 64, learning_rate: 10}, inputs: {z: start.z}}\n",
          out);
    fclose(out);
    const char *run[] = {"run", "diverge.yaml", "--out", "diverge", "--checkpoint-every", "0", NULL};
    assert_int_equal(call(run), 1);
    lw_store *kept = lw_store_load(in_folder("diverge/steps/find/checkpoint.safetensors"));
    assert_non_null(kept);
    for (size_t i = 0; i < lw_store_count(kept); i++) {
        const lw_tensor *tensor = lw_store_get(kept, lw_store_name(kept, i));
        for (int64_t e = 0; e < lw_shape_count(tensor->shape); e++)
            assert_true(isfinite(tensor->data[e]));
    }
    lw_store_destroy(kept);
}

/* The undisturbed run that all others must equal. */
static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    FILE *file = fopen(in_folder("p.yaml"), "w");
    if (!file)
        return -1;
    fputs(pipeline, file);
    fclose(file);
    const char *run[] = {"run", "p.yaml", "--out", "whole", NULL};
    return call(run);
}

static int tear_down(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof(command), "rm -r %s", folder);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_killed_run_ends_with_the_same_bytes),
        cmocka_unit_test(a_run_killed_again_and_again_ends_with_the_same_bytes),
        cmocka_unit_test(ctrl_c_writes_a_checkpoint_and_says_so),
        cmocka_unit_test(a_resume_refuses_what_has_changed_unless_forced),
        cmocka_unit_test(a_broken_checkpoint_is_refused),
        cmocka_unit_test(a_trained_model_is_taken_up_with_the_run),
        cmocka_unit_test(a_killed_training_of_a_network_ends_with_the_same_bytes),
        cmocka_unit_test(killed_finders_and_walks_end_with_the_same_bytes),
        cmocka_unit_test(a_killed_search_by_dp_lase_ends_with_the_same_bytes),
        cmocka_unit_test(a_killed_latent_discovery_ends_with_the_same_bytes),
        cmocka_unit_test(a_loss_that_is_no_number_leaves_the_last_checkpoint),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
