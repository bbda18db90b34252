/* traversal.c — see traversal.h. */
#include "traversal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* --- vectors ---------------------------------------------------------------------------------- */
double traversal_dot(const float *a, const float *b, int64_t size)
{
    double sum = 0;
    for (int64_t i = 0; i < size; i++)
        sum += (double)a[i] * b[i];
    return sum;
}

void traversal_normalise(float *rows, int64_t count, int64_t size)
{
    for (int64_t n = 0; n < count; n++, rows += size) {
        double length = sqrt(traversal_dot(rows, rows, size));
        for (int64_t i = 0; length > 0 && i < size; i++)
            rows[i] = (float)(rows[i] / length);
    }
}

lw_status traversal_straight(traversal *t, void *self)
{
    (void)self;
    for (int64_t i = 0; i < t->count * t->size; i++)
        t->at[i] += t->aim[i];
    return LW_OK;
}

/* --- where the walks start and head ------------------------------------------------------------ */
static lw_program *compile_map(traversal *t)
{
    lw_graph *g = lw_graph_create();
    if (!g)
        return NULL;
    lw_output(g, "w", lw_map(g, t->model, lw_input(g, "z", LW_SHAPE(t->map_batch, t->z_size))));
    return lw_step_compile(t->step, g, "map");
}

/* z [count, z_size] -> out [count, size] in the space walked */
static lw_status map_all(traversal *t, const float *z, float *out)
{
    if (!t->map) {
        memcpy(out, z, (size_t)(t->count * t->size) * sizeof *out);
        return LW_OK;
    }
    const int64_t batch = t->map_batch;
    for (int64_t i = 0; i * batch < t->count; i++) {
        const int64_t first = lw_batch_first(i, batch, t->count);
        LW_TRY(lw_program_write(t->map, "z", z + first * t->z_size, (size_t)(batch * t->z_size)));
        LW_TRY(lw_program_run(t->map));
        LW_TRY(lw_program_read(t->map, "w", out + first * t->size, (size_t)(batch * t->size)));
    }
    return LW_OK;
}

/* The vector of one found direction in the space walked; one of W must move all layers alike. */
static lw_status found_direction(const traversal *t, const lw_tensor *found, float *unit)
{
    const int64_t which = lw_int(lw_step_args(t->step), "direction"), *dim = found->shape.dim;
    bool w = strcmp(t->space, "w") == 0;
    char text[LW_SHAPE_TEXT];
    if (which >= dim[0])
        return lw_fail(LW_INVALID,
                       "direction %lld was asked for, but the port `direction` has %lld (counted from 0)",
                       (long long)which, (long long)dim[0]);
    if (w ? found->shape.rank != 3 || dim[2] != t->size : found->shape.rank != 2 || dim[1] != t->size)
        return lw_fail(LW_SHAPE, "these walks go through %s, but the directions are %s: %s", t->space,
                       lw_shape_text(found->shape, text),
                       w ? "of another space than w+ [K, num_ws, w_dim]"
                         : "of another space than z [K, z_dim]");
    const int64_t layers = w ? dim[1] : 1;
    const float *first = found->data + which * layers * t->size;
    for (int64_t l = 1; l < layers; l++)
        if (memcmp(first, first + l * t->size, (size_t)t->size * sizeof *first) != 0)
            return lw_fail(LW_UNSUPPORTED,
                           "direction %lld moves some layers only, but a walk through W moves all of "
                           "them; use method/apply-directions",
                           (long long)which);
    for (int64_t n = 0; n < t->count; n++)
        memcpy(unit + n * t->size, first, (size_t)t->size * sizeof *unit);
    return traversal_dot(first, first, t->size) > 0 || lw_step_is_dry(t->step)
               ? LW_OK
               : lw_fail(LW_INVALID, "direction %lld is zero and leads nowhere; follow another",
                         (long long)which);
}

static lw_status set_aims(traversal *t)
{
    const lw_tensor *target = lw_step_input(t->step, "target", 0),
                    *found = lw_step_input(t->step, "direction", 0);
    if (target && found)
        return lw_fail(LW_INVALID,
                       "both `target` and `direction` are connected; a walk heads for one of them");
    if (target) {
        t->target = lw_alloc((size_t)(t->count * t->size), sizeof *t->target);
        LW_TRY(t->target ? map_all(t, target->data, t->target) : lw_error_status());
        for (int64_t i = 0; i < t->count * t->size; i++)
            t->unit[i] = t->target[i] - t->at[i];
    } else if (found)
        LW_TRY(found_direction(t, found, t->unit));
    else
        lw_normal((lw_stream){.seed = lw_step_shared_seed(t->step, "traversals"),
                              .purpose = lw_purpose("traversal directions")},
                  0, (size_t)(t->count * t->size), t->unit);
    traversal_normalise(t->unit, t->count, t->size);
    return LW_OK;
}

/* The step wanted: `distance` along the direction, or towards the target and no farther than it is. */
static void set_wanted(traversal *t)
{
    double distance = lw_float(lw_step_args(t->step), "distance");
    for (int64_t n = 0; n < t->count; n++) {
        float *aim = t->aim + n * t->size;
        const float *at = t->at + n * t->size, *from = (t->target ? t->target : t->unit) + n * t->size;
        for (int64_t i = 0; i < t->size; i++)
            aim[i] = t->target ? from[i] - at[i] : from[i];
        double length = sqrt(traversal_dot(aim, aim, t->size));
        double scale = !(length > 0) ? 0 : !t->target ? distance / length : fmin(1, distance / length);
        for (int64_t i = 0; i < t->size; i++)
            aim[i] = (float)(aim[i] * scale);
    }
}

/* --- what is told and kept ---------------------------------------------------------------------- */
/* Cosine to the aim, length of the step and distance travelled along the aims (Bounded Local Space,
 * section 4.1 and supplement 2.1: of the w reached), over the walks; the cosine of those that moved. */
static lw_status tell(traversal *t)
{
    lw_spread cosine = {0}, length = {0}, travelled = {0};
    for (int64_t n = 0; n < t->count; n++) {
        const float *aim = t->aim + n * t->size, *at = t->at + n * t->size, *before = t->before + n * t->size;
        double along = 0, squares = 0, wanted = sqrt(traversal_dot(aim, aim, t->size));
        for (int64_t i = 0; i < t->size; i++) {
            double moved = (double)at[i] - before[i];
            along += moved * aim[i];
            squares += moved * moved;
        }
        if (wanted > 0 && squares > 0) {
            lw_spread_add(&cosine, along / (wanted * sqrt(squares)));
            t->travelled[n] += along / wanted;
        }
        lw_spread_add(&length, sqrt(squares));
        lw_spread_add(&travelled, t->travelled[n]);
    }
    LW_TRY(lw_step_log_spread(t->step, "cosine to the aim", t->iteration, &cosine));
    LW_TRY(lw_step_log_spread(t->step, "step length", t->iteration, &length));
    return lw_step_log_spread(t->step, "distance along the aim", t->iteration, &travelled);
}

static bool is_kept(const lw_args *args, int64_t steps)
{
    int listed = lw_list_count(args, "keep");
    bool found = listed == 0;
    for (int i = 0; i < listed; i++)
        found = found || lw_list_int(args, "keep", i) == steps;
    return found;
}

static lw_status check_keep(const lw_args *args)
{
    int64_t last = -1;
    for (int i = 0; i < lw_list_count(args, "keep"); i++) {
        int64_t steps = lw_list_int(args, "keep", i);
        if (steps <= last || steps > lw_int(args, "iterations"))
            return lw_fail(LW_INVALID,
                           "keep: %lld; it lists numbers of steps in ascending order, up to `iterations` "
                           "(%lld)",
                           (long long)steps, (long long)lw_int(args, "iterations"));
        last = steps;
    }
    return LW_OK;
}

/* The state after `steps` steps, where a resumed run finds it. */
static lw_status keep(traversal *t, int64_t steps)
{
    char name[32];
    LW_TRY(lw_store_set(t->kept, "at", LW_SHAPE(t->count, t->size), t->at));
    LW_TRY(lw_store_set(t->kept, "z", LW_SHAPE(t->count, t->z_size), t->z));
    LW_TRY(lw_store_set(t->kept, "unit", LW_SHAPE(t->count, t->size), t->unit));
    LW_TRY(lw_store_set(t->kept, "travelled", LW_SHAPE(t->count, 2), /* doubles, as pairs of floats' bytes */
                        (const float *)(void *)t->travelled));
    snprintf(name, sizeof name, "point.%08lld", (long long)steps);
    return is_kept(lw_step_args(t->step), steps)
               ? lw_store_set(t->kept, name, LW_SHAPE(t->count, t->size), t->at)
               : LW_OK;
}

static lw_status take_up(traversal *t)
{
    memcpy(t->at, lw_store_get(t->kept, "at")->data, (size_t)(t->count * t->size) * sizeof *t->at);
    memcpy(t->z, lw_store_get(t->kept, "z")->data, (size_t)(t->count * t->z_size) * sizeof *t->z);
    memcpy(t->unit, lw_store_get(t->kept, "unit")->data, (size_t)(t->count * t->size) * sizeof *t->unit);
    memcpy(t->travelled, lw_store_get(t->kept, "travelled")->data, (size_t)t->count * sizeof *t->travelled);
    return LW_OK;
}

/* --- the walk ----------------------------------------------------------------------------------- */
static lw_status prepare(traversal *t, const traversal_method *method, void *self)
{
    const lw_tensor *z = lw_step_input(t->step, "z", 0);
    const lw_args *args = lw_step_args(t->step);
    t->model = lw_step_model(t->step, "model");
    bool mapped = lw_model_has(t->model, "map");
    LW_TRY(check_keep(args));
    t->space = mapped ? "w" : "z";
    t->count = z->shape.dim[0];
    t->z_size = z->shape.dim[1];
    t->size = mapped ? lw_model_dim(t->model, "w_dim") : t->z_size;
    t->map_batch = t->count < 64 ? t->count : 64;
    const size_t points = (size_t)(t->count * t->size);
    t->at = lw_alloc(points, sizeof *t->at);
    t->z = lw_alloc((size_t)(t->count * t->z_size), sizeof *t->z);
    t->unit = lw_alloc(points, sizeof *t->unit);
    t->aim = lw_alloc(points, sizeof *t->aim);
    t->before = lw_alloc(points, sizeof *t->before);
    t->travelled = lw_alloc((size_t)t->count, sizeof *t->travelled);
    t->kept = lw_step_store(t->step, "walk");
    if (!t->at || !t->z || !t->unit || !t->aim || !t->before || !t->travelled || !t->kept ||
        (mapped && !(t->map = compile_map(t))))
        return lw_error_status();
    bool resumed = lw_store_has(t->kept, "at");
    memcpy(t->z, z->data, (size_t)(t->count * t->z_size) * sizeof *t->z);
    LW_TRY(map_all(t, t->z, t->at));
    LW_TRY(set_aims(t));
    if (method->open)
        LW_TRY(method->open(t, self));
    return resumed ? take_up(t) : keep(t, 0);
}

static lw_status step_once(traversal *t, const traversal_method *method, void *self)
{
    memcpy(t->before, t->at, (size_t)(t->count * t->size) * sizeof *t->before);
    set_wanted(t);
    LW_TRY(method->advance(t, self));
    if (method->moves_z)
        LW_TRY(map_all(t, t->z, t->at));
    LW_TRY(tell(t));
    return keep(t, t->iteration + 1);
}

/* The points kept [count, T, size]. On a dry run, where only one step was taken, the others are its start. */
static lw_tensor *gather(traversal *t)
{
    const lw_args *args = lw_step_args(t->step);
    int64_t iterations = lw_int(args, "iterations"), points = 0, k = 0;
    for (int64_t steps = 0; steps <= iterations; steps++)
        points += is_kept(args, steps);
    lw_tensor *walk = lw_tensor_create(LW_SHAPE(t->count, points, t->size));
    for (int64_t steps = 0; walk && steps <= iterations; steps++) {
        char name[32];
        snprintf(name, sizeof name, "point.%08lld", (long long)steps);
        if (!is_kept(args, steps))
            continue;
        const lw_tensor *point = lw_store_get(t->kept, name);
        const float *rows = point ? point->data : t->at;
        for (int64_t n = 0; n < t->count; n++)
            memcpy(walk->data + (n * points + k) * t->size, rows + n * t->size,
                   (size_t)t->size * sizeof(float));
        k++;
    }
    return walk;
}

/* Where each walk was to go: a unit vector, turned where the distance is negative. */
static lw_status hand_over_aims(const traversal *t)
{
    const bool back = !t->target && lw_float(lw_step_args(t->step), "distance") < 0;
    lw_tensor *aims = lw_tensor_create(LW_SHAPE(t->count, t->size));
    for (int64_t i = 0; aims && i < t->count * t->size; i++)
        aims->data[i] = back ? -t->unit[i] : t->unit[i];
    return lw_step_output(t->step, "aims", aims);
}

static lw_status hand_over(traversal *t)
{
    lw_tensor *walk = gather(t), *images = NULL;
    if (!walk)
        return lw_error_status();
    lw_tensor flat = *walk;
    flat.shape = LW_SHAPE(t->count * walk->shape.dim[1], t->size);
    lw_status status = lw_model_images(t->model, lw_step_device(t->step), t->space, &flat, 64, &images, NULL);
    if (status != LW_OK) {
        lw_tensor_destroy(walk);
        return status;
    }
    const int64_t *pixels = images->shape.dim;
    images->shape = LW_SHAPE(t->count, walk->shape.dim[1], pixels[1], pixels[2], pixels[3]);
    status = lw_step_output(t->step, "walk", walk);
    lw_status shown = lw_step_output(t->step, "images", images), aimed = hand_over_aims(t);
    return status != LW_OK ? status : shown != LW_OK ? shown : aimed;
}

lw_status traversal_run(lw_step *step, const traversal_method *method, void *self)
{
    traversal t = {.step = step};
    lw_status status = prepare(&t, method, self);
    while (status == LW_OK && lw_next(step, lw_int(lw_step_args(step), "iterations"), &t.iteration))
        status = step_once(&t, method, self);
    if (status == LW_OK)
        status = lw_step_finish(step);
    if (status == LW_OK)
        status = hand_over(&t);
    lw_free(t.at);
    lw_free(t.z);
    lw_free(t.unit);
    lw_free(t.target);
    lw_free(t.aim);
    lw_free(t.before);
    lw_free(t.travelled);
    return status;
}
