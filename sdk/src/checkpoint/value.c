/* value.c — the values of a pickle: their memory, what may be asked of them, and the check that they are a
 * tree that can be walked. */
#include "checkpoint/pickle.h"

#include <stdlib.h>
#include <string.h>

/* Values below one another, shared ones counted each time, and every 64 bytes of text as one more. */
enum { MOST_EXPANDED = 1 << 21, TEXT_UNIT = 64, BLOCK = 1 << 14, ALIGNMENT = 16 };

/* --- memory --------------------------------------------------------------------------------------- */

typedef struct lwi_pblock {
    struct lwi_pblock *next;
    size_t used, size;
    uint8_t *data;
} lwi_pblock;

void lwi_pickle_init(lwi_pickle *pickle, const char *name)
{
    *pickle = (lwi_pickle){.name = name};
}

void lwi_pickle_free(lwi_pickle *pickle)
{
    for (lwi_pblock *block = pickle->blocks, *next; block; block = next) {
        next = block->next;
        lw_free(block->data);
        lw_free(block);
    }
    pickle->blocks = NULL;
}

void *lwi_pickle_alloc(lwi_pickle *pickle, size_t size)
{
    lwi_pblock *block = pickle->blocks;
    size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (!block || size > block->size - block->used) {
        block = lw_alloc(1, sizeof *block);
        if (!block)
            return NULL;
        block->size = size > BLOCK ? size : BLOCK;
        block->data = lw_alloc(block->size, 1);
        if (!block->data) {
            lw_free(block);
            return NULL;
        }
        block->next = pickle->blocks;
        pickle->blocks = block;
    }
    void *memory = block->data + block->used;
    block->used += size;
    return memory;
}

/* --- questions -------------------------------------------------------------------------------------- */

bool lwi_pvalue_is(const lwi_pvalue *value, const char *text)
{
    return value && value->kind == LWI_P_TEXT && value->text.length == strlen(text) &&
           memcmp(value->text.at, text, value->text.length) == 0;
}

bool lwi_pvalue_is_list(const lwi_pvalue *value)
{
    return value && (value->kind == LWI_P_LIST || value->kind == LWI_P_TUPLE || value->kind == LWI_P_SET);
}

static lwi_pvalue *find(const lwi_pvalue *dict, const char *key)
{
    for (size_t i = 0; dict && dict->kind == LWI_P_DICT && i + 1 < dict->list.count; i += 2)
        if (lwi_pvalue_is(dict->list.item[i], key))
            return dict->list.item[i + 1];
    return NULL;
}

/* Of an object's state (state, slots), the part that is a dictionary. */
static const lwi_pvalue *state_dict(const lwi_pvalue *state)
{
    for (size_t i = 0; state && state->kind == LWI_P_TUPLE && i < state->list.count; i++)
        if (state->list.item[i]->kind == LWI_P_DICT)
            return state->list.item[i];
    return state && state->kind == LWI_P_DICT ? state : NULL;
}

lwi_pvalue *lwi_pvalue_get(const lwi_pvalue *value, const char *key)
{
    if (!value || value->kind != LWI_P_OBJECT)
        return find(value, key);
    lwi_pvalue *item = find(value->object.items, key);
    return item ? item : find(state_dict(value->object.state), key);
}

const lwi_pvalue *lwi_pvalue_dict(const lwi_pvalue *value)
{
    if (!value || value->kind == LWI_P_DICT)
        return value;
    if (value->kind != LWI_P_OBJECT)
        return NULL;
    return value->object.items ? value->object.items : state_dict(value->object.state);
}

/* Bytes of the UTF-8 character at `at`, 0 where there is none or it is a control character. */
static size_t printable(const uint8_t *at, size_t left)
{
    size_t length = at[0] < 0x80                    ? 1
                    : at[0] >= 0xc2 && at[0] < 0xe0 ? 2
                    : at[0] >= 0xe0 && at[0] < 0xf0 ? 3
                    : at[0] >= 0xf0 && at[0] < 0xf5 ? 4
                                                    : 0;
    if (length == 0 || length > left || at[0] < 0x20 || at[0] == 0x7f)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xf0 && at[1] < 0x90);
    bool surrogate = (at[0] == 0xed && at[1] >= 0xa0) || (at[0] == 0xf4 && at[1] >= 0x90);
    return overlong || surrogate ? 0 : length;
}

bool lwi_pvalue_text(const lwi_pvalue *value, char *out, size_t size)
{
    if (!value || value->kind != LWI_P_TEXT || value->text.length >= size)
        return false;
    const uint8_t *at = (const uint8_t *)value->text.at;
    for (size_t i = 0, step; i < value->text.length; i += step) {
        step = printable(at + i, value->text.length - i);
        if (step == 0)
            return false;
    }
    if (value->text.length)
        memcpy(out, at, value->text.length);
    out[value->text.length] = '\0';
    return true;
}

/* --- the check ---------------------------------------------------------------------------------------- */

/* `visit` of a value: not seen, being looked into, or DONE plus its height. */
enum { NEW, OPEN, DONE };

static lw_status refuse(const lwi_pickle *pickle, const char *what)
{
    return lw_fail(LW_FORMAT, "'%s': its pickle %s", pickle->name, what);
}

static int compare_keys(const void *left, const void *right)
{
    const lwi_pvalue *a = *(lwi_pvalue *const *)left, *b = *(lwi_pvalue *const *)right;
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    if (a->kind == LWI_P_INT)
        return (a->integer > b->integer) - (a->integer < b->integer);
    size_t length = a->text.length < b->text.length ? a->text.length : b->text.length;
    int order = length ? memcmp(a->text.at, b->text.at, length) : 0;
    return order ? order : (a->text.length > b->text.length) - (a->text.length < b->text.length);
}

static lw_status check_keys(const lwi_pickle *pickle, const lwi_pvalue *dict)
{
    size_t count = 0;
    lwi_pvalue **keys = lw_alloc(dict->list.count / 2, sizeof(lwi_pvalue *));
    if (!keys && dict->list.count)
        return LW_MEMORY;
    for (size_t i = 0; i + 1 < dict->list.count; i += 2)
        if (dict->list.item[i]->kind == LWI_P_TEXT || dict->list.item[i]->kind == LWI_P_INT)
            keys[count++] = dict->list.item[i];
    if (count > 1)
        qsort(keys, count, sizeof(lwi_pvalue *), compare_keys);
    lw_status status = LW_OK;
    for (size_t i = 1; i < count && status == LW_OK; i++) {
        char text[200] = "";
        if (compare_keys(&keys[i - 1], &keys[i]) != 0)
            continue;
        lwi_pvalue_text(keys[i], text, sizeof text);
        status =
            lw_fail(LW_FORMAT, "'%s': a dictionary of its pickle has the key '%s' twice", pickle->name, text);
    }
    lw_free(keys);
    return status;
}

static lw_status visit(const lwi_pickle *pickle, lwi_pvalue *value, uint32_t level);

/* Looks into a value below `parent`, and adds its size and height to the parent's. */
static lw_status descend(const lwi_pickle *pickle, lwi_pvalue *parent, lwi_pvalue *value, uint32_t level,
                         uint32_t *height)
{
    LW_TRY(visit(pickle, value, level + 1));
    parent->expanded += value->expanded;
    if (parent->expanded > MOST_EXPANDED)
        return refuse(pickle,
                      "is small in the file but has millions of values when written out: a memo bomb");
    uint32_t below = value->visit - DONE + 1;
    *height = below > *height ? below : *height;
    return LW_OK;
}

static lw_status visit_items(const lwi_pickle *pickle, lwi_pvalue *parent, uint32_t level, uint32_t *height)
{
    lwi_pvalue *object[] = {NULL, NULL, NULL}, **items = object;
    size_t count = 0;
    if (parent->kind == LWI_P_OBJECT) {
        object[0] = parent->object.args;
        object[1] = parent->object.state;
        object[2] = parent->object.items;
        count = 3;
    } else if (parent->kind == LWI_P_DICT || lwi_pvalue_is_list(parent)) {
        items = parent->list.item;
        count = parent->list.count;
    }
    for (size_t i = 0; i < count; i++)
        if (items[i])
            LW_TRY(descend(pickle, parent, items[i], level, height));
    return parent->kind == LWI_P_DICT ? check_keys(pickle, parent) : LW_OK;
}

static lw_status visit(const lwi_pickle *pickle, lwi_pvalue *value, uint32_t level)
{
    if (value->visit == OPEN)
        return refuse(pickle, "has a value that contains itself");
    uint32_t height = value->visit >= DONE ? value->visit - DONE : 0;
    if (level + height > LWI_PICKLE_DEPTH)
        return lw_fail(LW_FORMAT, "'%s': its pickle nests values more than %d deep", pickle->name,
                       LWI_PICKLE_DEPTH);
    if (value->visit >= DONE)
        return LW_OK;
    if (value->kind == LWI_P_TENSOR && !value->tensor)
        return refuse(pickle, "has an array that was never given its elements");
    value->visit = OPEN;
    value->expanded = 1 + (value->kind == LWI_P_TEXT ? value->text.length / TEXT_UNIT : 0);
    LW_TRY(visit_items(pickle, value, level, &height));
    value->visit = DONE + height;
    return LW_OK;
}

lw_status lwi_pickle_check(lwi_pickle *pickle, lwi_pvalue *root)
{
    return visit(pickle, root, 0);
}
