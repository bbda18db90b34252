/* network_trainer.c — method/network-trainer: teaches a network to tell named classes and amounts of
 * pictures, as far as each picture's labels are known, and keeps the weights that do best on held-out
 * pictures. */
#include "trainer.h"

#include <math.h>
#include <string.h>

static const char *const model_needs[] = {"labels", NULL};
static const char *const optimizers[] = {"adamw", "sgd", NULL};
static const char *const schedules[] = {"one-cycle", "cosine", "constant", NULL};
static const char *const amount_losses[] = {"smooth-l1", "squared", NULL};

static const lw_param params[] = {
    {"model", LW_PARAM_MODEL, NULL, NULL, 0, 0, model_needs,
     "The model whose network is trained, in place; give it no weights to start afresh."},
    {"epochs", LW_PARAM_INT, NULL, "12", 1, 100000, NULL, "How often each training picture is seen."},
    {"batch", LW_PARAM_INT, "images", "64", 2, 4096, NULL, "Pictures per update."},
    {"optimizer", LW_PARAM_CHOICE, NULL, "adamw", .choices = optimizers,
     .doc = "AdamW (Loshchilov & Hutter 2019), or stochastic gradient descent with momentum."},
    {"learning_rate", LW_PARAM_FLOAT, NULL, "1e-3", 0, 10, NULL,
     "The schedule's highest rate (torch.optim.AdamW: 1e-3)."},
    {"momentum", LW_PARAM_FLOAT, NULL, "0.9", 0, 0.9999, NULL,
     "SGD's momentum, or AdamW's first decay (torch: 0.9)."},
    {"weight_decay", LW_PARAM_FLOAT, NULL, "1e-2", 0, 1, NULL,
     "Shrinks weights (torch.optim.AdamW: 1e-2; of SGD 1e-4 is usual)."},
    {"schedule", LW_PARAM_CHOICE, NULL, "one-cycle", .choices = schedules,
     .doc = "`one-cycle` rises from 1/25 of the rate for 30 % of the training and falls to nearly nothing, "
            "along cosines (Smith & Topin 2018, as torch's OneCycleLR); `cosine` falls from the start."},
    {"class_weight", LW_PARAM_FLOAT, NULL, "1", 0, 1e6, NULL,
     "Weight of the classes' binary cross-entropy, a mean over the classes."},
    {"amount_weight", LW_PARAM_FLOAT, NULL, "1", 0, 1e6, NULL,
     "Weight of the amounts' errors, a mean over the amounts, each in deviations of its label."},
    {"emphasis", LW_PARAM_STRINGS, NULL, "",
     .doc = "Labels that count for more (or less) than 1 in their group's mean: NAME=FACTOR."},
    {"amount_loss", LW_PARAM_CHOICE, NULL, "smooth-l1", .choices = amount_losses,
     .doc =
         "Half the squared error, or Girshick's (2015) smooth L1, which grows evenly from one deviation on."},
    {"flip", LW_PARAM_BOOL, NULL, "true", 0, 0, NULL, "Mirror half of the training pictures."},
    {"odd", LW_PARAM_STRINGS, NULL, "",
     .doc = "Labels that change their sign when a picture is mirrored, such as yaw."},
    {"shift", LW_PARAM_INT, "px", "0", 0, 1024, NULL,
     "Training pictures are moved by up to this much both ways, repeating their border."},
    {"patience", LW_PARAM_INT, "epochs", "5", 0, 100000, NULL,
     "Ends the training once the validation loss was not the least so far for this long; 0 never does."},
    {"half", LW_PARAM_BOOL, NULL, "false", 0, 0, NULL, "Store model.safetensors in half precision."},
};

static const lw_port inputs[] = {
    {"images", "dataset[N, channels, height, width]", 0, 0,
     "Training pictures; their labels hold every label of the network, blank where not known."},
    {"validation", "dataset[M, channels, height, width]", 0, 0, "Held-out pictures with the same labels."},
};

/* Everything the loop works with. */
typedef struct loop {
    trainer t;
    lw_program *training, *validation;
    lw_loader *loader;
    const lw_dataset *train, *held_out;
    int *train_column, *held_out_column;     /* [K] */
    float *images, *labels, *target, *known; /* of one batch */
    float *losses, *outputs;
    lw_store *best;     /* the weights with the least validation loss */
    lw_store *progress; /* "progress" [2]: that loss, and the epochs since */
} loop;

/* Which columns of the training labels change their sign. [columns] */
static lw_status find_odd(const loop *l, uint8_t *odd)
{
    for (int i = 0; i < lw_list_count(l->t.args, "odd"); i++) {
        int k = lw_model_find_label(l->t.model, lw_list_text(l->t.args, "odd", i));
        if (k < 0)
            return lw_wrap("odd");
        const lw_label *label = &l->t.targets.label[k];
        if (label->low != -label->high)
            return lw_fail(
                LW_INVALID,
                "odd: '%s' ranges from %g to %g, but what changes its sign when mirrored needs a range "
                "about 0, as yaw=-45..45 has",
                label->name, label->low, label->high);
        odd[l->train_column[k]] = 1;
    }
    return LW_OK;
}

static lw_status open_loader(loop *l)
{
    uint8_t *odd = lw_alloc(lw_dataset_label_count(l->train) + 1, 1);
    lw_status status = odd ? find_odd(l, odd) : LW_MEMORY;
    if (status == LW_OK) {
        l->loader = lw_loader_create_with(l->train, (size_t)l->t.image.dim[0], lw_step_seed(l->t.step),
                                          &(lw_loader_options){.size = sizeof(lw_loader_options),
                                                               .flip = lw_bool(l->t.args, "flip"),
                                                               .shift = (int32_t)lw_int(l->t.args, "shift"),
                                                               .odd = odd});
        status = l->loader ? LW_OK : lw_error_status();
    }
    lw_free(odd);
    return status;
}

static lw_status open_labels(loop *l)
{
    targets *t = &l->t.targets;
    LW_TRY(targets_open(t, l->t.model, l->t.args));
    l->train_column = lw_alloc((size_t)t->count, sizeof(int));
    l->held_out_column = lw_alloc((size_t)t->count, sizeof(int));
    if (!l->train_column || !l->held_out_column)
        return LW_MEMORY;
    LW_TRY(targets_find(t, l->train, "images", l->train_column));
    LW_TRY(targets_find(t, l->held_out, "validation", l->held_out_column));
    return targets_measure(t, l->train, l->train_column);
}

static lw_status open_buffers(loop *l)
{
    size_t batch = (size_t)l->t.image.dim[0], table = batch * (size_t)l->t.targets.count;
    size_t columns = lw_dataset_label_count(l->train);
    if (columns < lw_dataset_label_count(l->held_out))
        columns = lw_dataset_label_count(l->held_out);
    l->images = lw_alloc((size_t)lw_shape_count(l->t.image), sizeof(float));
    l->labels = lw_alloc(batch * columns, sizeof(float));
    l->target = lw_alloc(table, sizeof(float));
    l->known = lw_alloc(table, sizeof(float));
    l->losses = lw_alloc(table, sizeof(float));
    l->outputs = lw_alloc(table, sizeof(float));
    return l->images && l->labels && l->target && l->known && l->losses && l->outputs ? LW_OK : LW_MEMORY;
}

static lw_status open_stores(loop *l)
{
    lw_step *step = l->t.step;
    l->t.network = lw_model_store(l->t.model, LW_PART_NETWORK);
    l->t.state = lw_step_store(step, "optimizer");
    l->best = lw_step_store(step, "best");
    l->progress = lw_step_store(step, "progress");
    if (!l->t.state || !l->best || !l->progress)
        return lw_error_status();
    if (!lw_store_has(l->progress, "progress"))
        LW_TRY(lw_store_set(l->progress, "progress", LW_SHAPE(2), (float[]){INFINITY, 0}));
    return lw_step_keep(step, "network", l->t.network);
}

static lw_status open_loop(loop *l, lw_step *step)
{
    trainer *t = &l->t;
    t->step = step;
    t->args = lw_step_args(step);
    t->model = lw_step_model(step, "model");
    t->image = LW_SHAPE(lw_int(t->args, "batch"), lw_model_dim(t->model, "channels"),
                        lw_model_dim(t->model, "height"), lw_model_dim(t->model, "width"));
    l->train = lw_step_input_dataset(step, "images", 0);
    l->held_out = lw_step_input_dataset(step, "validation", 0);
    LW_TRY(open_labels(l));
    LW_TRY(open_buffers(l));
    LW_TRY(open_stores(l));
    LW_TRY(open_loader(l));
    if (!(l->training = compile_training(t)) || !(l->validation = compile_validation(t)))
        return lw_error_status();
    return LW_OK;
}

static void close_loop(loop *l)
{
    lw_loader_destroy(l->loader);
    targets_close(&l->t.targets);
    lw_free(l->train_column);
    lw_free(l->held_out_column);
    lw_free(l->images);
    lw_free(l->labels);
    lw_free(l->target);
    lw_free(l->known);
    lw_free(l->losses);
    lw_free(l->outputs);
}

/* --- training --------------------------------------------------------------------------------- */

/* Along half a cosine: `from` at 0, `to` at 1. */
static double cosine(double from, double to, double along)
{
    return to + (from - to) * (1 + cos(acos(-1.0) * along)) / 2;
}

/* The learning rate of update i of `total`. one-cycle: torch.optim.lr_scheduler.OneCycleLR's defaults
 * (pct_start 0.3, div_factor 25, final_div_factor 1e4). */
static double rate_at(const lw_args *args, int64_t i, int64_t total)
{
    const char *schedule = lw_text(args, "schedule");
    double rate = lw_float(args, "learning_rate"), along = (double)i / (double)total;
    if (strcmp(schedule, "constant") == 0)
        return rate;
    if (strcmp(schedule, "cosine") == 0)
        return cosine(rate, 0, along);
    return along < 0.3 ? cosine(rate / 25, rate, along / 0.3)
                       : cosine(rate, rate / 25e4, (along - 0.3) / 0.7);
}

static lw_status write_batch(loop *l, lw_program *program)
{
    size_t table = (size_t)(l->t.image.dim[0] * l->t.targets.count);
    LW_TRY(lw_program_write(program, "images", l->images, (size_t)lw_shape_count(l->t.image)));
    return lw_program_write(program, "target", l->target, table);
}

static lw_status update(loop *l, int64_t i, int64_t total)
{
    size_t batch = (size_t)l->t.image.dim[0], columns = lw_dataset_label_count(l->train);
    if (!lw_step_is_dry(l->t.step))
        LW_TRY(lw_loader_batch(l->loader, (uint64_t)i, l->images, l->labels));
    targets_read(&l->t.targets, l->train_column, columns, l->labels, batch, l->target, l->known);
    float rate = (float)rate_at(l->t.args, i, total), loss;
    LW_TRY(write_batch(l, l->training));
    LW_TRY(lw_program_write(l->training, "known", l->known, batch * (size_t)l->t.targets.count));
    LW_TRY(lw_program_write(l->training, "rate", &rate, 1));
    LW_TRY(lw_program_seed(l->training, lw_step_seed(l->t.step), (uint64_t)i));
    LW_TRY(lw_program_run(l->training));
    if (i % 10 != 0)
        return LW_OK;
    LW_TRY(lw_program_read(l->training, "loss", &loss, 1));
    LW_TRY(lw_step_log(l->t.step, "loss/training", (double)loss));
    return lw_step_log(l->t.step, "learning rate", (double)rate);
}

/* --- validation ------------------------------------------------------------------------------- */

typedef struct score {
    double *loss, *known; /* [K]: sums over pictures */
    double right, judged; /* of classes: outputs on the right side of 1/2, of all */
} score;

static void add_batch(const loop *l, size_t pictures, score *s)
{
    const targets *t = &l->t.targets;
    for (size_t i = 0; i < pictures * (size_t)t->count; i++) {
        size_t k = i % (size_t)t->count;
        if (l->known[i] == 0)
            continue;
        s->loss[k] += (double)l->losses[i];
        s->known[k] += 1;
        if (t->is_class[k] != 0) {
            s->right += (l->outputs[i] > 0.5f) == (l->target[i] > 0.5f);
            s->judged += 1;
        }
    }
}

static lw_status judge(loop *l, score *s)
{
    size_t batch = (size_t)l->t.image.dim[0], count = lw_dataset_count(l->held_out);
    size_t columns = lw_dataset_label_count(l->held_out), table = batch * (size_t)l->t.targets.count;
    for (size_t first = 0; first < count; first += batch) {
        size_t real = lw_dataset_range(l->held_out, first, batch, l->images);
        for (size_t i = 0; i < batch; i++)
            memcpy(l->labels + i * columns, lw_dataset_labels(l->held_out, first + (i < real ? i : real - 1)),
                   columns * sizeof(float));
        targets_read(&l->t.targets, l->held_out_column, columns, l->labels, batch, l->target, l->known);
        LW_TRY(write_batch(l, l->validation));
        LW_TRY(lw_program_run(l->validation));
        LW_TRY(lw_program_read(l->validation, "losses", l->losses, table));
        LW_TRY(lw_program_read(l->validation, "outputs", l->outputs, table));
        add_batch(l, real, s);
    }
    return LW_OK;
}

/* The training's loss, as a mean over the held-out pictures. */
static lw_status validate(loop *l, double *loss)
{
    const targets *t = &l->t.targets;
    score s = {.loss = lw_alloc((size_t)t->count, sizeof(double)),
               .known = lw_alloc((size_t)t->count, sizeof(double))};
    lw_status status = s.loss && s.known ? judge(l, &s) : LW_MEMORY;
    double amounts = 0, classes = 0;
    for (int k = 0; status == LW_OK && k < t->count; k++) {
        bool amount = t->label[k].amount;
        *(amount ? &amounts : &classes) += s.loss[k] / s.known[k] * t->weight[k];
    }
    lw_free(s.loss);
    lw_free(s.known);
    LW_TRY(status);
    *loss = classes + amounts;
    LW_TRY(lw_step_log(l->t.step, "loss/validation", *loss));
    LW_TRY(lw_step_log(l->t.step, "validation loss by group/classes", classes));
    LW_TRY(lw_step_log(l->t.step, "validation loss by group/amounts", amounts));
    return s.judged > 0 ? lw_step_log(l->t.step, "accuracy of validation classes", s.right / s.judged)
                        : LW_OK;
}

/* Keeps the weights where they are the best so far. *stop: they have not been for too long. */
static lw_status compare(loop *l, bool *stop)
{
    double loss;
    LW_TRY(validate(l, &loss));
    const lw_tensor *now = lw_store_get(l->progress, "progress");
    if (!now)
        return lw_error_status();
    float progress[2] = {now->data[0], now->data[1] + 1};
    if ((float)loss < progress[0]) {
        progress[0] = (float)loss;
        progress[1] = 0;
        LW_TRY(lw_store_merge(l->best, l->t.network, ""));
    }
    int64_t patience = lw_int(l->t.args, "patience");
    *stop = patience > 0 && progress[1] >= (float)patience && !lw_step_is_dry(l->t.step);
    return lw_store_set(l->progress, "progress", LW_SHAPE(2), progress);
}

static lw_status train(loop *l)
{
    int64_t count = (int64_t)lw_dataset_count(l->train), batch = l->t.image.dim[0];
    int64_t epoch = (count + batch - 1) / batch, total = epoch * lw_int(l->t.args, "epochs");
    bool stop = false;
    for (int64_t i; !stop && lw_next(l->t.step, total, &i);) {
        LW_TRY(update(l, i, total));
        if ((i + 1) % epoch == 0)
            LW_TRY(compare(l, &stop));
        if (stop)
            lw_step_note(l->t.step,
                         "stopped after %lld of %lld epochs: the validation loss was least %lld epochs ago",
                         (long long)((i + 1) / epoch), (long long)(total / epoch),
                         (long long)lw_int(l->t.args, "patience"));
    }
    return lw_step_finish(l->t.step);
}

/* The best weights become the model's. */
static lw_status finish(loop *l)
{
    LW_TRY(lw_store_merge(l->t.network, l->best, ""));
    lw_model_changed(l->t.model);
    char *path = lw_step_path(l->t.step, "model.safetensors");
    lw_status status =
        path ? lw_model_save(l->t.model, path, lw_bool(l->t.args, "half") ? LW_STORE_F16 : LW_STORE_F32)
             : lw_error_status();
    lw_free(path);
    LW_TRY(status);
    const lw_tensor *progress = lw_store_get(l->progress, "progress");
    return progress ? lw_step_metric(l->t.step, "best weights", "validation loss", (double)progress->data[0])
                    : lw_error_status();
}

static lw_status run(lw_step *step)
{
    loop l = {0};
    lw_status status = open_loop(&l, step);
    if (status == LW_OK)
        status = train(&l);
    if (status == LW_OK)
        status = finish(&l);
    close_loop(&l);
    return status;
}

static const lw_runner functions = {sizeof(lw_runner), run};

LW_PLUGIN(
    METHOD, "network-trainer", "1.0.0",
    "Trains a network to tell classes and amounts of pictures, with labels that may be missing",
    .source = "Loshchilov & Hutter 2019 (AdamW); Smith & Topin 2018 (one cycle); Girshick 2015 (smooth L1)",
    LW_PARAMS(params), LW_INPUTS(inputs), .functions = &functions);
