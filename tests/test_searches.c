/* test_searches.c — the searches of pipelines/bounded-local-space, small, end to end, and what `check` finds
 * wrong with them before anything runs. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "latentwalk/latentwalk.h"
#include "program.h"

#include <stdio.h>
#include <string.h>

#define PIPELINE(name) LW_SOURCE_DIR "/pipelines/bounded-local-space/" name "-search.yaml"
#define TINY                                                                                                \
    " --set \"models.faces={generator: {uses: stylegan2, with: {widths: [4, 4, 4, 4, 4], z_dim: 8, w_dim: " \
    "8, "                                                                                                   \
    "mapping_width: 8, mapping_layers: 2}}, discriminator: {uses: dcgan, with: {width: 4}}}\""
#define SMALL                                                                          \
    TINY " --set steps.start.with.count=3 --set steps.search.with.iterations=3 --set " \
         "steps.search.with.keep=[0,1,3] --set steps.distance.with.at=[0,1,3] --set "  \
         "steps.distance.with.samples=8 --set steps.critic.with.at=[0,1,3]"

/* Whether a file of a run has this text. */
static bool tells(const char *file, const char *text)
{
    char path[512];
    uint8_t *data;
    size_t size;
    snprintf(path, sizeof path, "%s/%s", program_folder(), file);
    if (lw_file_read(path, 0, &data, &size) != LW_OK)
        fail_msg("%s", lw_error_text());
    char *whole = lw_format("%.*s", (int)size, (const char *)data);
    bool found = strstr(whole, text) != NULL;
    lw_free(whole);
    lw_free(data);
    return found;
}

static void check_report(const char *file)
{
    static const char *const charts[] = {"loss", "step length", "Fréchet distance", "critic&#39;s score"};
    for (int i = 0; i < 4; i++) {
        char caption[128];
        snprintf(caption, sizeof caption, "%s</figcaption>", charts[i]);
        if (!tells(file, caption))
            fail_msg("%s has no chart '%s'", file, charts[i]);
    }
}

static void a_search_by_score_runs_plain_and_bounded(void **state)
{
    (void)state;
    program_expect("run " PIPELINE("score") " --quiet --out score" SMALL, 0, "");
    check_report("score/report.html");
    assert_true(tells("score/metrics.json", "\"critic-bounded\"") &&
                tells("score/metrics.json", "\"distance-plain\""));
}

static void a_masked_search_runs_plain_and_bounded(void **state)
{
    (void)state;
    program_expect("run " PIPELINE("masked") " --quiet --out masked --set steps.other.with.count=3" SMALL, 0,
                   "");
    check_report("masked/report.html");
}

#define LOSS " --set steps.search.with.losses="

static void what_cannot_work_is_found_before_anything_runs(void **state)
{
    (void)state;
    program_expect("check " PIPELINE("score") TINY " --set models.faces.generator=dcgan", 2,
                   "step 'search-bounded' (method/latent-optimizer): space: w needs a model with `map`");
    program_expect("check " PIPELINE("score") TINY " --set steps.search.with.space=z", 2,
                   "it goes with `space: w`, not with z");
    program_expect("check " PIPELINE("masked") TINY LOSS
                   "\"[{uses: loss/perceptual, with: {network: attributes, taps: [block7]}}]\"",
                   2, "has no tap 'block7'; it has stem, block0, block1, block2, block3, features, logits");
    program_expect("check " PIPELINE("score") TINY LOSS
                   "\"[{uses: loss/score, with: {network: attributes, output: smiles, target: 1}}]\"",
                   2, "did you mean 'smile'?");
    program_expect("check " PIPELINE("score") TINY LOSS
                   "\"[{uses: loss/perceptual, with: {network: attributes, taps: [stem]}}]\"",
                   2, "connect the input `targets`");
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
        cmocka_unit_test(a_search_by_score_runs_plain_and_bounded),
        cmocka_unit_test(a_masked_search_runs_plain_and_bounded),
        cmocka_unit_test(what_cannot_work_is_found_before_anything_runs),
    };
    return cmocka_run_group_tests(tests, NULL, clear);
}
