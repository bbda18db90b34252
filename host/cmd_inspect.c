/* cmd_inspect.c — latentwalk inspect: what a checkpoint holds, and which plugins take it. */
#include <string.h>

#include "checkpoint/checkpoint.h"
#include "common.h"
#include "detect.h"

/* --- for people --------------------------------------------------------------------------------------- */
static void print_json(const char *title, const json_t *value)
{
    char *text = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(9)) : NULL;
    if (text)
        printf("%s: %s\n", title, text);
    free(text);
}

static void print_network(const lwi_checkpoint *file, const lwi_network *network)
{
    int64_t elements = 0;
    for (size_t i = 0; i < network->count; i++)
        elements += lw_shape_count(lwi_checkpoint_tensor(file, network->first + i)->shape);
    printf("\n%s%s%s%s: %zu tensors, %lld elements\n", *network->name ? network->name : "(no name)",
           network->class_name ? " (" : "", network->class_name ? network->class_name : "",
           network->class_name ? ")" : "", network->count, (long long)elements);
    print_json("  arguments", network->config);
    for (size_t i = 0; i < network->count; i++) {
        const lwi_named_tensor *tensor = lwi_checkpoint_tensor(file, network->first + i);
        char shape[LW_SHAPE_TEXT];
        printf("  %-56s %-5s %s\n", tensor->name, lwi_element_name(tensor->element),
               lw_shape_text(tensor->shape, shape));
    }
}

static void print_match(const lwh_match *match)
{
    if (match->absent) {
        printf("\ndetected architecture: none; %s\n", match->problem);
        return;
    }
    if (!match->args) {
        printf("\ndetected architecture: %s, but its tensors do not fit: %s\n", match->id, match->problem);
        return;
    }
    printf("\ndetected architecture: %s%s%s%s\n", match->id, *match->prefix ? " under '" : "", match->prefix,
           *match->prefix ? "'" : "");
    print_json("  arguments", match->args);
    print_json("  sizes", match->sizes);
}

static void print_all(const lwi_checkpoint *file, const char *path, const lwh_match *matches, int count)
{
    const json_t *others = lwi_checkpoint_others(file);
    printf("%s: %s, %zu network%s\n", path, lwi_checkpoint_container(file),
           lwi_checkpoint_network_count(file), lwi_checkpoint_network_count(file) == 1 ? "" : "s");
    if (json_object_size(others))
        print_json("beside them", others);
    for (size_t i = 0; i < lwi_checkpoint_network_count(file); i++)
        print_network(file, lwi_checkpoint_network(file, i));
    for (int i = 0; i < count; i++)
        print_match(&matches[i]);
    if (!count)
        printf("\ndetected architecture: none; `latentwalk plugins` lists the generators and discriminators "
               "there are\n");
}

/* --- for programs --------------------------------------------------------------------------------------- */
static json_t *tensor_json(const lwi_named_tensor *tensor)
{
    json_t *shape = json_array();
    for (int i = 0; i < tensor->shape.rank; i++)
        json_array_append_new(shape, json_integer(tensor->shape.dim[i]));
    return json_pack("{s:s, s:s, s:o}", "name", tensor->name, "dtype", lwi_element_name(tensor->element),
                     "shape", shape);
}

static json_t *network_json(const lwi_checkpoint *file, const lwi_network *network)
{
    json_t *tensors = json_array();
    for (size_t i = 0; i < network->count; i++)
        json_array_append_new(tensors, tensor_json(lwi_checkpoint_tensor(file, network->first + i)));
    return json_pack("{s:s, s:s?, s:O?, s:o}", "name", network->name, "class", network->class_name,
                     "arguments", network->config, "tensors", tensors);
}

static json_t *match_json(const lwh_match *match)
{
    return json_pack("{s:s, s:s?, s:O?, s:O?, s:s?}", "plugin", match->id, "prefix", match->prefix,
                     "arguments", match->args, "sizes", match->sizes, "problem", match->problem);
}

static void print_all_json(const lwi_checkpoint *file, const char *path, const lwh_match *matches, int count)
{
    json_t *networks = json_array(), *detected = json_array();
    for (size_t i = 0; i < lwi_checkpoint_network_count(file); i++)
        json_array_append_new(networks, network_json(file, lwi_checkpoint_network(file, i)));
    for (int i = 0; i < count; i++)
        json_array_append_new(detected, match_json(&matches[i]));
    json_t *all = json_pack("{s:s, s:s, s:O, s:o, s:o}", "file", path, "container",
                            lwi_checkpoint_container(file), "others", (json_t *)lwi_checkpoint_others(file),
                            "networks", networks, "detected", detected);
    json_dumpf(all, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    printf("\n");
    json_decref(all);
}

int lwh_cmd_inspect(const lwh_options *options)
{
    lwi_registry *registry = lwh_find_plugins(options);
    lwi_checkpoint *file = registry ? lwi_checkpoint_open(options->argument) : NULL;
    lw_store *store = file ? lwi_checkpoint_store(file, NULL) : NULL;
    lwh_match matches[LWH_MOST_MATCHES];
    int count = store ? lwh_detect(registry, store, NULL, matches) : -1;
    if (count < 0)
        lwh_tell_error(options, 0);
    else if (options->json)
        print_all_json(file, options->argument, matches, count);
    else
        print_all(file, options->argument, matches, count);
    lwh_matches_free(matches, count);
    lw_store_destroy(store);
    lwi_checkpoint_close(file);
    lwi_registry_destroy(registry);
    return count < 0 ? LWH_RUN_FAILED : LWH_FINE;
}
