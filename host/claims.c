/* claims.c — see claims.h. The names are those of ../shared/fixtures: image_trunc0.7_cut3, feat_block0,
 * grad_z, … */
#include "claims.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static void add_argument(lwh_claim *claim, const char *key, const char *value)
{
    if (claim->with_count < LWH_CLAIM_ARGS)
        snprintf(claim->with[claim->with_count++], LWH_CLAIM_TEXT, "%s=%.32s", key, value);
    else
        claim->problem = "it has too many arguments";
}

/* One word of a name behind the first: "trunc0.7", "cut3", "netG". */
static bool modify(lwh_claim *claim, const char *word)
{
    static const struct {
        const char *word, *key;
    } numbers[] = {{"trunc", "truncation_psi"},
                   {"cut", "truncation_cutoff"},
                   {"lod", "lod"},
                   {"t", "truncation"},
                   {"", "truncation_cutoff"}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        size_t length = strlen(numbers[i].word);
        if (strncmp(word, numbers[i].word, length) == 0 && isdigit((unsigned char)word[length]))
            return add_argument(claim, numbers[i].key, word + length), true;
    }
    if (strcmp(word, "none") == 0)
        add_argument(claim, "noise_mode", "none");
    else if (claim->kind == LWH_CLAIM_IMAGE && sscanf(word, "mix%2d", &claim->crossed) == 1)
        return claim->crossed > 0;
    else if (strcmp(word, "mix") == 0)
        claim->mixed = true;
    else if (strcmp(word, "netG") == 0)
        claim->prefix = "netG.";
    else if (strcmp(word, "G") == 0)
        claim->prefix = "G.";
    else if (strcmp(word, "wplus") == 0 && claim->kind == LWH_CLAIM_IMAGE)
        snprintf(claim->rest, sizeof claim->rest, "wplus");
    else if (strcmp(word, "sumD") == 0)
        claim->of_score = true;
    else /* constant noise is the default; "raw" and "of" belong to G and sumD */
        return strcmp(word, "const") == 0 || strcmp(word, "raw") == 0 || strcmp(word, "of") == 0;
    return true;
}

/* "_trunc0.7_cut3" */
static void read_words(lwh_claim *claim, const char *text)
{
    while (*text == '_') {
        char word[LWH_CLAIM_TEXT];
        size_t length = strcspn(++text, "_");
        snprintf(word, sizeof word, "%.*s", (int)length, text);
        if (!modify(claim, word))
            claim->problem = "its name is not understood";
        text += length;
    }
}

/* Is `text` this word, alone or with more behind an underscore? */
static const char *after(const char *text, const char *word)
{
    size_t length = strlen(word);
    bool same = strncmp(text, word, length) == 0 && (!text[length] || text[length] == '_');
    return same ? text + length : NULL;
}

static bool is_one_of(const char *name, const char *const *list)
{
    while (*list && strcmp(*list, name) != 0)
        list++;
    return *list != NULL;
}

static bool read_exact(lwh_claim *claim)
{
    static const struct {
        const char *name;
        lwh_claim_kind kind;
    } exact[] = {{"D_score", LWH_CLAIM_SCORE},           {"D_prob", LWH_CLAIM_SCORE},
                 {"D_feat", LWH_CLAIM_FEATURES},         {"D_score_single0", LWH_CLAIM_SINGLE},
                 {"D_score_doubled", LWH_CLAIM_DOUBLED}, {"jacobian_dw_dz0", LWH_CLAIM_JACOBIAN}};
    static const char *const inputs[] = {
        "z",         "y",        "c",     "label",      "labels", "class_vector",
        "class_mix", "grad_out", "wplus", "latent_avg", NULL};
    for (size_t i = 0; i < sizeof exact / sizeof *exact; i++)
        if (strcmp(exact[i].name, claim->name) == 0)
            return claim->kind = exact[i].kind, true;
    claim->kind = LWH_CLAIM_INPUT;
    return is_one_of(claim->name, inputs);
}

void lwh_claim_read(lwh_claim *claim, const char *name)
{
    static const char *const latents[] = {"w", "ws", "wp", "latent", NULL};
    const char *words;
    *claim = (lwh_claim){.name = name};
    if (read_exact(claim))
        return;
    for (int i = 0; latents[i]; i++)
        if ((words = after(name, latents[i]))) {
            claim->kind = LWH_CLAIM_LATENT;
            read_words(claim, words);
            if (!claim->problem)
                return;
            claim->problem = NULL; /* "latent_avg" */
        }
    if ((words = after(name, "image"))) {
        claim->kind = LWH_CLAIM_IMAGE;
        read_words(claim, words);
    } else if (strncmp(name, "grad_", 5) == 0) {
        claim->kind = LWH_CLAIM_GRADIENT;
        words = after(name + 5, "z");
        snprintf(claim->rest, sizeof claim->rest, "%.*s", words ? 1 : LWH_CLAIM_TEXT - 1, name + 5);
        if (words)
            read_words(claim, words);
    } else {
        claim->kind = LWH_CLAIM_TAP;
        snprintf(claim->rest, sizeof claim->rest, "%s", strncmp(name, "feat_", 5) == 0 ? name + 5 : name);
    }
}

double lwh_claim_tolerance(const lwh_claim *claim)
{
    return claim->kind == LWH_CLAIM_GRADIENT || claim->kind == LWH_CLAIM_JACOBIAN ? 1e-3 : 1e-4;
}

bool lwh_claims_agree(const lwh_claim *a, const lwh_claim *b)
{
    if (a->mixed != b->mixed || a->with_count != b->with_count ||
        (a->prefix == NULL) != (b->prefix == NULL) || (a->prefix && strcmp(a->prefix, b->prefix) != 0))
        return false;
    for (int i = 0; i < a->with_count; i++)
        if (strcmp(a->with[i], b->with[i]) != 0)
            return false;
    return true;
}
