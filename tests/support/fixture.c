/* fixture.c — see fixture.h. */
#include "fixture.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "gpu.h"
#include "model/model.h"
#include "plugins.h"

void fixture_open(fixture *f, const char *name, const char *blas)
{
    char path[1024];
    memset(f, 0, sizeof *f);
    f->name = name;
    snprintf(path, sizeof path, LW_SOURCE_DIR "/../shared/fixtures/%s/weights.safetensors", name);
    if (access(path, R_OK) != 0) {
        print_message("skipped: ../shared/fixtures/%s is not here\n", name);
        skip();
    }
    f->weights = lw_store_load(path);
    snprintf(path, sizeof path, LW_SOURCE_DIR "/../shared/fixtures/%s/expected.safetensors", name);
    f->expected = lw_store_load(path);
    bool gpu = strcmp(blas, "gpu") == 0 || getenv("LW_TEST_GPU");
    f->device = gpu ? test_open_as_gpu() : lw_device_open("cpu", blas);
    f->model = lwi_model_create(name);
    if (!f->weights || !f->expected || !f->device || !f->model)
        fail_msg("%s: %s", name, lw_error_text());
}

void fixture_part(fixture *f, lw_part part, const char *id, const char *prefix, const char *const *with)
{
    test_must(
        lwi_model_set_part(f->model, part, test_plugin(id), test_args(id, with), f->weights, prefix, 0));
}

void fixture_close(fixture *f)
{
    lwi_model_destroy(f->model);
    lw_device_close(f->device);
    lw_store_destroy(f->weights);
    lw_store_destroy(f->expected);
}

const lw_tensor *fixture_expected(fixture *f, const char *name)
{
    const lw_tensor *tensor = lw_store_get(f->expected, name);
    if (!tensor)
        fail_msg("%s has no expected tensor '%s'", f->name, name);
    return tensor;
}

lw_value fixture_constant(fixture *f, lw_graph *g, const char *name)
{
    const lw_tensor *tensor = fixture_expected(f, name);
    return lw_constant(g, tensor->shape, tensor->data);
}

static double deviation(const lw_tensor *t)
{
    int64_t n = lw_shape_count(t->shape);
    double mean = 0, square = 0;
    for (int64_t i = 0; i < n; i++)
        mean += (double)t->data[i] / (double)n;
    for (int64_t i = 0; i < n; i++)
        square += (t->data[i] - mean) * (t->data[i] - mean) / (double)n;
    return n > 1 ? sqrt(square) : fabs(mean);
}

static void compare(fixture *f, const fixture_check *check, const lw_tensor *got)
{
    const lw_tensor *want = fixture_expected(f, check->expected);
    assert_int_equal(lw_shape_count(got->shape), lw_shape_count(want->shape));
    double worst = 0;
    for (int64_t i = 0; i < lw_shape_count(want->shape); i++) {
        double error = fabs((double)got->data[i] - want->data[i]);
        worst = error <= worst ? worst : error; /* keeps a NaN */
    }
    worst /= deviation(want);
    print_message("  %s %s: largest error %.2g deviations\n", f->name, check->expected, worst);
    if (!(worst <= check->tolerance))
        fail_msg("%s %s: largest error %g deviations, allowed %g", f->name, check->expected, worst,
                 check->tolerance);
}

void fixture_run(fixture *f, lw_graph *g, const fixture_check *checks, int count)
{
    for (int i = 0; i < count; i++)
        lw_output(g, checks[i].expected, checks[i].value);
    test_must(lw_graph_status(g));
    lw_program *program = lw_compile(g, f->device);
    if (!program)
        fail_msg("%s: %s", f->name, lw_error_text());
    test_must(lw_program_run(program));
    for (int i = 0; i < count; i++) {
        lw_tensor *got = lw_program_read_tensor(program, checks[i].expected);
        if (!got)
            fail_msg("%s", lw_error_text());
        compare(f, &checks[i], got);
        lw_tensor_destroy(got);
    }
    lw_program_destroy(program);
}
