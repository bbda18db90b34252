/* options.c — reading the command line and telling how it is written. */
#include "options.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "latentwalk/base.h"

/* Which commands take an option. */
enum {
    RUN = 1,
    CHECK = 2,
    RESUME = 4,
    PLUGINS = 8,
    DESCRIBE = 16,
    SCHEMA = 32,
    DEVICES = 64,
    VERSION = 128,
    INSPECT = 256,
    IMPORT = 512,
    GENERATE = 1024,
    VERIFY = 2048,
    ALL = ~0
};

typedef struct option {
    const char *name, *value; /* value: what it takes; NULL for a switch */
    unsigned commands;
    const char *doc;
} option;

static const option options_table[] = {
    {"--set", "PATH=VALUE", RUN | CHECK,
     "change a value of the file, e.g. steps.walk.with.points=20 (repeatable);\n"
     "paths given here start at the current folder"},
    {"--seed", "N", RUN | CHECK, "the same as --set seed=N"},
    {"--device", "WHICH", RUN | GENERATE | VERIFY,
     "cpu, gpu, a number as `latentwalk devices` lists it, or part of a name"},
    {"--blas", "WHICH", RUN | GENERATE | VERIFY, "native, clblast or auto"},
    {"--out", "FILE", IMPORT, "the .safetensors file to write"},
    {"-o", "FILE", IMPORT, "the same as --out"},
    {"--arch", "NAME", IMPORT,
     "the plugin that must recognise it, e.g. generator/stylegan2; the default is any that does"},
    {"--store", "WIDTH", IMPORT,
     "f32 (the default), f16, or f8: 8 bits for weights, 16 for biases and statistics"},
    {"--network", "NAME", IMPORT, "only this network of the file, its tensors without the prefix NAME."},
    {"--out", "FOLDER", RUN, "the run folder; the default is runs/NAME-DATE-TIME"},
    {"--dry-run", NULL, RUN, "compute nothing; print each step's programs, peak memory and arithmetic"},
    {"--profile", NULL, RUN | RESUME | GENERATE,
     "time every kernel: a table profile.txt, and profile.json for Chrome's about:tracing\n"
     "or Perfetto, in the run folder, or where `generate` writes"},
    {"--checkpoint-every", "SECONDS", RUN | RESUME, "how often a loop is saved; the default is 60"},
    {"--force", NULL, RESUME,
     "go on although plugins, weights or the device have changed (recorded in run.json)"},
    {"--network", "FILE", GENERATE, "the network: any file `latentwalk inspect` reads"},
    {"--arch", "NAME", GENERATE | VERIFY,
     "the generator plugin, e.g. generator/stylegan2; the default is detected"},
    {"--with", "KEY=VALUE", GENERATE | VERIFY,
     "an argument of the generator plugin, e.g. truncation_cutoff=8 (repeatable)"},
    {"--seeds", "LIST", GENERATE,
     "one image a seed, e.g. 0,1,4-6: z as numpy.random.RandomState(seed) draws it"},
    {"--latents", "FILE", GENERATE, "instead of --seeds, latents from a .npy or .safetensors file"},
    {"--space", "z|w|w+", GENERATE, "the space of --latents; the default is z"},
    {"--trunc", "PSI", GENERATE, "truncation; 1 is none"},
    {"--class", "N", GENERATE, "the class of a conditional network"},
    {"--noise-mode", "MODE", GENERATE, "const, none or random"},
    {"--outdir", "FOLDER", GENERATE, "where to write; the default is out"},
    {"--save-tensors", "FILE", GENERATE, "also write z, w and the float images as .safetensors"},
    {"--interpolate", "FILE", GENERATE,
     "instead of images, a loop through the seeds' latents: OUTDIR/FILE, .webp, or .mp4 with ffmpeg"},
    {"--frames", "N", GENERATE, "frames from one latent to the next; the default is 24"},
    {"--tune", "WHICH", DEVICES,
     "measure which parameters CLBlast does best with on this device, and keep them in the cache"},
    {"--fixture", "FOLDER", VERIFY,
     "config.json, weights and expected.safetensors of an official implementation"},
    {"--weights", "FILE", VERIFY, "the weights in that folder; the default is weights.safetensors"},
    {"--tuning", NULL, DEVICES,
     "also the algorithms chosen by measurement for each device, and where they are kept"},
    {"--plugin-path", "FOLDERS",
     RUN | CHECK | RESUME | PLUGINS | DESCRIBE | SCHEMA | INSPECT | IMPORT | GENERATE | VERIFY,
     "look for plugins here first (colon separated), then in LATENTWALK_PLUGIN_PATH\n"
     "and the installation"},
    {"--json", NULL,
     RUN | CHECK | RESUME | PLUGINS | DESCRIBE | DEVICES | INSPECT | IMPORT | GENERATE | VERIFY,
     "JSON on stdout, for programs"},
    {"--quiet", NULL, RUN | RESUME | GENERATE, "no progress"},
    {"--help", NULL, ALL, "this text"},
};

const lwh_command lwh_commands[] = {
    {"run", "FILE", "run a pipeline", lwh_cmd_run,
     "  latentwalk run pipelines/quickstart.yaml\n"
     "  latentwalk run walk.yaml --set steps.walk.with.points=20 --seed 7\n"
     "  latentwalk run walk.yaml --set models.faces.weights=other.safetensors --out runs/other\n"
     "  latentwalk run walk.yaml --dry-run\n"
     "  latentwalk run runs/quickstart-20250101-120000/pipeline.yaml    # the same again\n"},
    {"check", "FILE", "find every mistake of a pipeline without running it", lwh_cmd_check,
     "  latentwalk check walk.yaml\n"
     "  latentwalk check walk.yaml --set steps.walk.uses=method/trajectory-net\n"},
    {"resume", "RUN", "go on with a cancelled or killed run", lwh_cmd_resume,
     "  latentwalk resume runs/quickstart-20250101-120000\n"},
    {"plugins", NULL, "list the plugins found, and those refused", lwh_cmd_plugins,
     "  latentwalk plugins\n"
     "  latentwalk plugins --plugin-path build/my-plugins --json\n"},
    {"describe", "[ID]", "a plugin's parameters, inputs and outputs", lwh_cmd_describe,
     "  latentwalk describe method/trajectory-net\n"
     "  latentwalk describe                           # all of them\n"},
    {"schema", NULL, "a JSON Schema of pipelines, for editors", lwh_cmd_schema,
     "  latentwalk schema > pipeline.schema.json\n"},
    {"devices", NULL, "list the OpenCL devices", lwh_cmd_devices,
     "  latentwalk devices\n"
     "  latentwalk devices --tuning\n"
     "  latentwalk devices --tune gpu\n"},
    {"inspect", "FILE", "what a checkpoint holds, and which plugins take it", lwh_cmd_inspect,
     "  latentwalk inspect network-snapshot-025000.pkl\n"
     "  latentwalk inspect G_ema.pth --json\n"},
    {"import", "FILE", "convert a checkpoint to .safetensors, without running anything in it", lwh_cmd_import,
     "  latentwalk import ffhq.pkl -o ffhq.safetensors\n"
     "  latentwalk import ffhq.pkl -o ffhq.safetensors --arch generator/stylegan2 --network G_ema\n"},
    {"generate", NULL, "images of a network from seeds or latents", lwh_cmd_generate,
     "  latentwalk generate --network ffhq.pkl --seeds 0,1,4-6 --trunc 0.7 --outdir out\n"
     "  latentwalk generate --network biggan.pth --class 207 --seeds 0-9\n"
     "  latentwalk generate --network ffhq.pkl --seeds 0,1,2 --interpolate walk.webp --frames 30\n"
     "  latentwalk generate --network ffhq.pkl --latents w.npy --space w\n"},
    {"verify", NULL, "compare a network with numbers of its official implementation", lwh_cmd_verify,
     "  latentwalk verify --fixture fixtures/stylegan2\n"
     "  latentwalk verify --fixture fixtures/stylegan2 --weights network-snapshot-000000.pkl --blas "
     "clblast\n"},
    {"version", NULL, "print the version", lwh_cmd_version, "  latentwalk version\n"},
    {NULL, NULL, NULL, NULL, NULL},
};

/* --- help ---------------------------------------------------------------------------------------- */
static int command_index(const char *name)
{
    for (int i = 0; lwh_commands[i].name; i++)
        if (strcmp(lwh_commands[i].name, name) == 0)
            return i;
    return -1;
}

static unsigned command_bit(int index)
{
    static const unsigned bits[] = {RUN,     CHECK,   RESUME, PLUGINS,  DESCRIBE, SCHEMA,
                                    DEVICES, INSPECT, IMPORT, GENERATE, VERIFY,   VERSION};
    return bits[index];
}

static void print_option(FILE *stream, const option *o)
{
    char left[64];
    snprintf(left, sizeof(left), "%s%s%s", o->name, o->value ? " " : "", o->value ? o->value : "");
    fprintf(stream, "  %-26s ", left);
    for (const char *c = o->doc; *c; c++) {
        fputc(*c, stream);
        if (*c == '\n')
            fprintf(stream, "%29s", "");
    }
    fputc('\n', stream);
}

void lwh_print_help(FILE *stream, const char *name)
{
    int index = name ? command_index(name) : -1;
    if (index < 0) {
        fprintf(stream, "latentwalk " LW_VERSION
                        " — walks in the latent spaces of GANs\n\nusage: latentwalk COMMAND [OPTIONS]\n\n");
        for (const lwh_command *c = lwh_commands; c->name; c++)
            fprintf(stream, "  %-9s%-6s %s\n", c->name, c->argument ? c->argument : "", c->summary);
        fprintf(stream, "\nexamples:\n");
        for (int i = 0; i < 2; i++)
            fputs(lwh_commands[i].examples, stream);
        fprintf(stream,
                "\n`latentwalk COMMAND --help` tells a command's options and more examples.\n"
                "Exit status: 0 fine, 1 a run failed, 2 a mistake in the command line or the pipeline,\n"
                "130 cancelled with Ctrl-C.\n");
        return;
    }
    const lwh_command *c = &lwh_commands[index];
    fprintf(stream, "latentwalk %s — %s\n\nusage: latentwalk %s%s%s [OPTIONS]\n\n", c->name, c->summary,
            c->name, c->argument ? " " : "", c->argument ? c->argument : "");
    for (size_t i = 0; i < sizeof(options_table) / sizeof(*options_table); i++)
        if (options_table[i].commands & command_bit(index))
            print_option(stream, &options_table[i]);
    fprintf(stream, "\nexamples:\n%s", c->examples);
}

/* --- parsing -------------------------------------------------------------------------------------- */
static bool usage(const char *command, const char *message, const char *what, const char *near)
{
    fprintf(stderr, "latentwalk: %s '%s'", message, what);
    if (near)
        fprintf(stderr, "; did you mean '%s'?", near);
    fprintf(stderr, "\ntry: latentwalk %s%s--help\n", command ? command : "", command ? " " : "");
    return false;
}

static bool add_set(lwh_options *options, const char *prefix, const char *value)
{
    if (options->set_count == LWH_MAX_SETS)
        return usage(options->command, "too many options, at", value, NULL);
    char *text = lw_format("%s%s", prefix, value);
    if (!text)
        return usage(options->command, "out of memory at", value, NULL);
    options->sets[options->set_count++] = text;
    return true;
}

static bool parse_seconds(lwh_options *options, const char *value)
{
    char *end = NULL;
    options->checkpoint_every = strtod(value, &end);
    if (end == value || *end || !(options->checkpoint_every >= 0) || options->checkpoint_every > 1e9)
        return usage(options->command, "--checkpoint-every takes a number of seconds, not", value, NULL);
    return true;
}

static bool apply(lwh_options *options, const char *name, const char *value)
{
    struct {
        const char *name;
        bool *flag;
    } switches[] = {{"--dry-run", &options->dry_run}, {"--profile", &options->profile},
                    {"--tuning", &options->tuning},   {"--json", &options->json},
                    {"--quiet", &options->quiet},     {"--force", &options->force},
                    {"--help", &options->help}};
    for (size_t i = 0; i < sizeof(switches) / sizeof(*switches); i++)
        if (strcmp(switches[i].name, name) == 0)
            return *switches[i].flag = true;
    if (strcmp(name, "--set") == 0)
        return add_set(options, "", value);
    if (strcmp(name, "--seed") == 0)
        return add_set(options, "seed=", value);
    if (strcmp(name, "--device") == 0)
        return add_set(options, "device.select=", value);
    if (strcmp(name, "--blas") == 0)
        return add_set(options, "device.blas=", value);
    if (strcmp(name, "--with") == 0)
        return add_set(options, "with.", value);
    if (strcmp(name, "--class") == 0)
        return add_set(options, "with.class=", value);
    if (strcmp(name, "--noise-mode") == 0)
        return add_set(options, "with.noise_mode=", value);
    if (strcmp(name, "--checkpoint-every") == 0)
        return parse_seconds(options, value);
    struct {
        const char *name;
        const char **text;
    } texts[] = {{"--out", &options->out},
                 {"-o", &options->out},
                 {"--plugin-path", &options->plugin_path},
                 {"--network", &options->network},
                 {"--store", &options->store},
                 {"--arch", &options->arch},
                 {"--seeds", &options->seeds},
                 {"--latents", &options->latents},
                 {"--space", &options->space},
                 {"--trunc", &options->trunc},
                 {"--outdir", &options->outdir},
                 {"--save-tensors", &options->save_tensors},
                 {"--interpolate", &options->interpolate},
                 {"--frames", &options->frames},
                 {"--fixture", &options->fixture},
                 {"--tune", &options->tune},
                 {"--weights", &options->weights}};
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
        if (strcmp(texts[i].name, name) == 0)
            *texts[i].text = value;
    return true;
}

/* One option, with its value in the same word (--seed=7) or the next. Advances *i past it. */
static bool parse_option(lwh_options *options, int command, int count, char **arguments, int *i)
{
    const char *word = arguments[*i], *equals = strchr(word, '=');
    size_t length = equals ? (size_t)(equals - word) : strlen(word);
    const char *names[sizeof(options_table) / sizeof(*options_table) + 1] = {NULL};
    int known = 0;
    for (size_t k = 0; k < sizeof(options_table) / sizeof(*options_table); k++) {
        const option *o = &options_table[k];
        if (!(o->commands & command_bit(command)))
            continue;
        names[known++] = o->name;
        if (strlen(o->name) != length || strncmp(o->name, word, length) != 0)
            continue;
        if (!o->value && equals)
            return usage(options->command, "this option takes no value:", word, NULL);
        const char *value = equals ? equals + 1 : NULL;
        if (o->value && !value) {
            if (*i + 1 >= count)
                return usage(options->command, "a value is missing after", word, NULL);
            value = arguments[++*i];
        }
        return apply(options, o->name, value);
    }
    char plain[64];
    snprintf(plain, sizeof(plain), "%.*s", (int)length, word);
    return usage(options->command, "unknown option", word, lw_closest(plain, names));
}

bool lwh_options_parse(lwh_options *options, int count, char **arguments)
{
    *options = (lwh_options){.checkpoint_every = 60};
    if (count < 2 || strcmp(arguments[1], "--help") == 0 || strcmp(arguments[1], "help") == 0) {
        options->help = true;
        return count >= 2 || (lwh_print_help(stderr, NULL), false);
    }
    const char *word = strcmp(arguments[1], "--version") == 0 ? "version" : arguments[1];
    int command = command_index(word);
    if (command < 0) {
        const char *names[sizeof(lwh_commands) / sizeof(*lwh_commands)];
        for (int i = 0; i == 0 || lwh_commands[i - 1].name; i++)
            names[i] = lwh_commands[i].name;
        return usage(NULL, "unknown command", word, lw_closest(word, names));
    }
    options->command = lwh_commands[command].name;
    for (int i = 2; i < count; i++) {
        if (arguments[i][0] == '-' && arguments[i][1]) {
            if (!parse_option(options, command, count, arguments, &i))
                return false;
        } else if (options->argument || !lwh_commands[command].argument) {
            return usage(options->command, "too many arguments at", arguments[i], NULL);
        } else {
            options->argument = arguments[i];
        }
    }
    const char *wanted = lwh_commands[command].argument;
    if (wanted && *wanted != '[' && !options->argument && !options->help)
        return usage(options->command, "this command needs its argument:", wanted, NULL);
    return true;
}

static int run_command(const lwh_options *options)
{
    if (!options->help)
        return lwh_commands[command_index(options->command)].run(options);
    lwh_print_help(stdout, options->command);
    return LWH_FINE;
}

int lwh_main(int count, char **arguments)
{
    lwh_options options;
    int code = lwh_options_parse(&options, count, arguments) ? run_command(&options) : LWH_USAGE;
    for (int i = 0; i < options.set_count; i++)
        lw_free(options.sets[i]);
    return code;
}
