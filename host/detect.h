/* detect.h — which generator, discriminator and network plugins take a file's weights. */
#ifndef LWH_DETECT_H
#define LWH_DETECT_H

#include <jansson.h>

#include "latentwalk/tensor.h"
#include "plugin/registry.h"

#define LWH_MOST_MATCHES 32

typedef struct lwh_match {
    char *id;             /* "generator/stylegan2" */
    char *prefix;         /* of its tensors in the file … */
    json_t *args, *sizes; /* … NULL where they do not fit … */
    char *problem;        /* … and why: missing, extra and misshaped ones together */
    bool absent;          /* the file names this plugin, which cannot be used here: `problem` tells why */
} lwh_match;

/* Tries only `id`, or else for each part what the file names, or where it names none every generator and
 * discriminator plugin, with the prefixes it knows. How many matched, into `matches` (released with
 * lwh_matches_free); -1 with an error. */
int lwh_detect(lwi_registry *registry, lw_store *weights, const char *id, lwh_match *matches);
void lwh_matches_free(lwh_match *matches, int count);

#endif
