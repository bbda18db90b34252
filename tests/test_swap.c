/* test_swap.c — in one pipeline, one method is put in another's place and nothing else is edited: traversals,
 * finders of directions, what puts latents in order; all traversals run side by side. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "latentwalk/latentwalk.h"
#include "program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* `generator` has a mapping or not, `matrix` is empty or names several methods. */
static void write_pipeline(const char *file, const char *generator, const char *matrix, const char *uses)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", program_folder(), file);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fprintf(
        out,
        "latentwalk: 1\nseed: 3\nmodels:\n  m:\n    generator: %s\n%ssteps:\n"
        "  - {id: start, uses: source/latents, with: {model: m, count: 3}}\n"
        "  - {id: end, uses: source/latents, with: {model: m, count: 3}}\n"
        "  - id: walk\n    uses: %s\n    with: {model: m, iterations: 4, distance: 0.5, keep: [0, 2, 4]}\n"
        "    inputs: {z: start.z, target: end.z}\n"
        "  - {id: measures, uses: metric/path, with: {model: m}, inputs: {walk: walk.walk}}\n"
        "  - {id: grid, uses: sink/image-grid, inputs: {images: walk.images}}\n",
        generator, matrix, uses);
    assert_int_equal(fclose(out), 0);
}

#define MAPPED \
    "{uses: stylegan2, with: {widths: [4, 4], z_dim: 8, w_dim: 8, mapping_width: 8, mapping_layers: 2}}"
#define PLAIN "{uses: dcgan, with: {depth: 1, width: 4, z_dim: 8}}"

static void any_traversal_takes_the_place_of_another(void **state)
{
    static const char *const methods[] = {"bounded-local-space", "iterative-curve-traversal", "local-basis",
                                          "random-traversal"};
    (void)state;
    write_pipeline("walk.yaml", MAPPED, "", "method/linear-traversal");
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        char arguments[256];
        snprintf(arguments, sizeof arguments,
                 "run walk.yaml --quiet --out %s --set steps.walk.uses=method/%s", methods[i], methods[i]);
        program_expect(arguments, 0, "");
    }
    program_expect("run walk.yaml --dry-run --set steps.walk.uses=method/bounded-local-space", 0,
                   "local geometry");
}

#define TINY_FACES                                                                                          \
    " --set \"models.faces={generator: {uses: stylegan2, with: {widths: [4, 4, 4, 4, 4], z_dim: 8, w_dim: " \
    "8, "                                                                                                   \
    "mapping_width: 8, mapping_layers: 2}}}\""

/* How often `text` is in a file of the run. */
static int count_in(const char *file, const char *text)
{
    char path[512];
    uint8_t *data;
    size_t size;
    int n = 0;
    snprintf(path, sizeof path, "%s/%s", program_folder(), file);
    if (lw_file_read(path, 0, &data, &size) != LW_OK)
        fail_msg("%s", lw_error_text());
    char *whole = lw_format("%.*s", (int)size, (const char *)data);
    for (const char *at = whole; (at = strstr(at, text)); at += strlen(text))
        n++;
    lw_free(whole);
    lw_free(data);
    return n;
}

static void all_of_them_run_side_by_side_into_one_table(void **state)
{
    (void)state;
    program_expect(
        "run " LW_SOURCE_DIR "/pipelines/bounded-local-space/traversals.yaml --quiet --out side" TINY_FACES
        " --set steps.start.with.count=3 --set steps.end.with.count=3 --set steps.distance.with.samples=8",
        0, "");
    assert_int_equal(count_in("side/report.html", "<h3>metric/traversal</h3>"), 1);
    assert_int_equal(count_in("side/report.html", "<h3>metric/attribute-leakage</h3>"), 1);
    static const char *const methods[] = {"linear-traversal", "random-traversal", "local-basis",
                                          "iterative-curve-traversal", "bounded-local-space"};
    for (int i = 0; i < 5; i++) {
        char row[64];
        snprintf(row, sizeof row, ">advance-%s · walk</th>", methods[i]);
        assert_int_equal(count_in("side/report.html", row), 1);
    }
}

static void the_papers_experiment_runs_small(void **state)
{
    (void)state;
    program_expect("run " LW_SOURCE_DIR
                   "/pipelines/bounded-local-space/experiment.yaml --quiet --out paper" TINY_FACES
                   " --set steps.start.with.count=3 --set steps.distance.with.samples=8",
                   0, "");
    assert_int_equal(count_in("paper/report.html", "<figcaption>cosine to the aim</figcaption>"), 1);
    assert_int_equal(count_in("paper/report.html", "<figcaption>Fr\xc3\xa9"
                                                   "chet distance</figcaption>"),
                     1);
    assert_int_equal(count_in("paper/report.html", ">distance-bls-0_5 · point 500 and usual pictures</th>"),
                     1);
}

static void a_finder_of_directions_takes_the_place_of_another(void **state)
{
    static const char *const methods[] = {"interfacegan", "attribute-arithmetic", "directional-gan"};
    char path[256], arguments[256];
    (void)state;
    snprintf(path, sizeof path, "%s/find.yaml", program_folder());
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fputs("latentwalk: 1\nseed: 3\nmodels:\n  m: {generator: " MAPPED "}\n"
          "  net: {network: {uses: cnn, with: {side: 8, widths: [4], outputs: 1}}}\nsteps:\n"
          "  - {id: many, uses: source/latents, with: {model: m, count: 40}}\n"
          "  - {id: fine, uses: method/hypersphere-projection, with: {model: m}, inputs: {latents: many.z}}\n"
          "  - {id: judge, uses: method/attribute-scores, with: {model: m, network: net}, inputs: {latents: "
          "fine.latents}}\n"
          "  - {id: find, uses: method/interfacegan, with: {model: m, chosen: 10, threshold: 0.2}, inputs: "
          "{latents: fine.latents, scores: judge.scores}}\n"
          "  - {id: edit, uses: method/apply-directions, with: {model: m, space: z}, inputs: {z: many.z, "
          "directions: find.directions}}\n",
          out);
    assert_int_equal(fclose(out), 0);
    for (int i = 0; i < 3; i++) {
        snprintf(
            arguments, sizeof arguments,
            "run find.yaml --quiet --out %s --set steps.find.uses=method/%s --set steps.fine.uses=method/%s",
            methods[i], methods[i], i == 2 ? "truncation" : "hypersphere-projection");
        program_expect(arguments, 0, "");
    }
}

static void without_a_mapping_walks_go_through_z(void **state)
{
    (void)state;
    write_pipeline("z.yaml", PLAIN, "", "method/linear-traversal");
    program_expect("run z.yaml --quiet --out z", 0, "");
    program_expect("run z.yaml --quiet --out z2 --set steps.walk.uses=method/random-traversal", 0, "");
    program_expect("check z.yaml --set steps.walk.uses=method/bounded-local-space", 2,
                   "needs a model with `map`");
}

static int clear(void **state)
{
    (void)state;
    program_clear();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_traversal_takes_the_place_of_another),
        cmocka_unit_test(all_of_them_run_side_by_side_into_one_table),
        cmocka_unit_test(the_papers_experiment_runs_small),
        cmocka_unit_test(a_finder_of_directions_takes_the_place_of_another),
        cmocka_unit_test(without_a_mapping_walks_go_through_z),
    };
    return cmocka_run_group_tests(tests, NULL, clear);
}
