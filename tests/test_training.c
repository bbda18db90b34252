/* test_training.c — whole training steps, and what is left once all is closed. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <time.h>

#include "compiled.h"
#include "runtime/device.h"

typedef struct training {
    lw_graph *graph;
    lw_store *weights, *state;
    lw_program *program;
} training;

/* A small convolutional classifier with batch norm, trained by Adam on fixed noise. */
static training make_training(void)
{
    training t = {lw_graph_create(), lw_store_create(), lw_store_create(), NULL};
    lw_graph *g = t.graph;
    lw_scope scope = {.size = sizeof(lw_scope),
                      .plugin = "test",
                      .model = "net",
                      .prefix = "",
                      .store = t.weights,
                      .seed = 1,
                      .create = true,
                      .training = true};
    lw_scope_push(g, &scope);
    lw_value x = lw_input(g, "x", LW_SHAPE(8, 3, 8, 8)), want = lw_input(g, "want", LW_SHAPE(8, 1));
    lw_value w = lw_weight(g, LW_SHAPE(20, 3, 4, 4), lw_init_normal(0, 0.2), "conv.weight");
    lw_value h = lw_conv2d(g, x, w, .stride = 2, .padding = 1);
    h = lw_leaky_relu(g, lw_batch_norm(g, h, "norm"), 0.2);
    lw_value f = lw_weight(g, LW_SHAPE(1, 20 * 16), lw_init_normal(0, 0.1), "out.weight");
    lw_value b = lw_weight(g, LW_SHAPE(1), lw_init_constant(0), "out.bias");
    lw_value y = lw_linear(g, lw_flatten(g, h, 1), f, b);
    lw_value loss = lw_mean(g, lw_square(g, lw_sub(g, y, want)), LW_ALL_AXES, false);
    lw_scope_pop(g);
    lw_adam(g, loss, t.weights, t.state, .learning_rate = 0.01f, .beta1 = 0.5f);
    lw_output(g, "loss", loss);
    if (lw_graph_status(g) != LW_OK)
        fail_msg("%s", lw_error_text());
    return t;
}

static void give_training_data(training *t, reference *r)
{
    float x[8 * 3 * 64], want[8];
    fill_normal(x, 8 * 3 * 64, "data");
    fill_normal(want, 8, "want");
    if (t->program) {
        lw_program_write(t->program, "x", x, 8 * 3 * 64);
        lw_program_write(t->program, "want", want, 8);
    }
    if (r) {
        reference_write(r, "x", x);
        reference_write(r, "want", want);
    }
}

static void drop(training *t)
{
    lw_program_destroy(t->program);
    lw_graph_destroy(t->graph);
    lw_store_destroy(t->weights);
    lw_store_destroy(t->state);
}

static void adam_steps_are_those_of_the_reference_and_lower_the_loss(void **state)
{
    (void)state;
    training t = make_training(), u = make_training();
    t.program = compile(t.graph);
    give_training_data(&t, NULL);
    reference *r = reference_create(u.graph);
    give_training_data(&u, r);
    float first = 0, loss = 0;
    for (int step = 0; step < 3; step++) {
        run(t.program);
        check_output(t.program, r, "loss", 1e-4);
        lw_program_read(t.program, "loss", step ? &loss : &first, 1);
        assert_int_equal(reference_assign(r), LW_OK);
        give_training_data(&u, r);
    }
    for (size_t i = 0; i < lw_store_count(t.weights); i++) {
        const char *name = lw_store_name(t.weights, i);
        const lw_tensor *got = lw_store_get(t.weights, name), *want = lw_store_get(u.weights, name);
        for (int64_t k = 0; k < lw_shape_count(got->shape); k++)
            if (!(fabsf(got->data[k] - want->data[k]) < 2e-4f))
                fail_msg("%s[%d] is %g, should be %g", name, (int)k, (double)got->data[k],
                         (double)want->data[k]);
    }
    for (int step = 0; step < 100; step++)
        run(t.program);
    lw_program_read(t.program, "loss", &loss, 1);
    assert_true(loss < 0.1f * first);
    reference_destroy(r);
    drop(&t);
    drop(&u);
}

static void the_same_training_gives_the_same_bytes(void **state)
{
    (void)state;
    char hash[3][17];
    for (int i = 0; i < 3; i++) {
        training t = make_training();
        t.program = compile(t.graph);
        give_training_data(&t, NULL);
        for (int step = 0; step < 5; step++)
            run(t.program);
        assert_int_equal(lw_store_hash(t.weights, hash[i]), LW_OK);
        drop(&t);
    }
    assert_string_equal(hash[0], hash[1]);
    assert_string_equal(hash[0], hash[2]);
}

static cl_uint references_to(cl_context context)
{
    cl_uint count = 0;
    assert_int_equal(clGetContextInfo(context, CL_CONTEXT_REFERENCE_COUNT, sizeof count, &count, NULL),
                     CL_SUCCESS);
    return count;
}

/* Every OpenCL object holds its context: once all is closed, only this test does. PoCL's workers let go of a
 * command a moment after clFinish has counted it as done, hence the wait. (To leak checkers, objects that
 * were forgotten are PoCL's own memory.) */
static void a_closed_device_leaves_no_opencl_object(void **state)
{
    (void)state;
    lw_device *own = lw_device_open("cpu", "native");
    assert_non_null(own);
    cl_context context = own->context;
    clRetainContext(context);
    training t = make_training();
    t.program = lw_compile(t.graph, own);
    assert_non_null(t.program);
    give_training_data(&t, NULL);
    run(t.program);
    assert_true(references_to(context) > 2);
    drop(&t);
    lw_device_close(own);
    for (int ms = 0; ms < 10000 && references_to(context) > 1; ms++)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    assert_int_equal(references_to(context), 1);
    clReleaseContext(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adam_steps_are_those_of_the_reference_and_lower_the_loss),
        cmocka_unit_test(the_same_training_gives_the_same_bytes),
        cmocka_unit_test(a_closed_device_leaves_no_opencl_object),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
