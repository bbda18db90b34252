/* emit.c — the text of generated kernels: parameters, loads, arithmetic. */
#include "compile/expr.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void sign(lwi_signature *s, const lwi_arg *arg)
{
    if (s->launch.arg_count == LWI_MAX_ARGS)
        s->full = true;
    else
        s->launch.arg[s->launch.arg_count++] = *arg;
}

void lwi_sign_int(lwi_signature *s, int64_t value, const char *format, ...)
{
    char name[64], declaration[80];
    va_list args;
    va_start(args, format);
    vsnprintf(name, sizeof name, format, args);
    va_end(args);
    snprintf(declaration, sizeof declaration, ", int %s ", name);
    if (s->parameters.data && strstr(s->parameters.data, declaration))
        return;
    lwi_print(&s->parameters, "%s", declaration);
    sign(s, &(lwi_arg)LWI_INT(value));
}

int lwi_sign_buffer(lwi_signature *s, lwi_arg_kind kind, lwi_buffer buffer)
{
    for (int a = 0; a < s->launch.arg_count; a++)
        if (s->launch.arg[a].kind == kind && s->launch.arg[a].buffer == buffer)
            return a;
    int number = s->launch.arg_count;
    lwi_print(&s->parameters, "%sglobal %sfloat *b%d", number ? ", " : "",
              kind == LWI_ARG_READ ? "const " : "", number);
    sign(s, &(lwi_arg){.kind = kind, .buffer = buffer});
    return number;
}

/* A float as OpenCL C, exactly. */
static void print_float(lwi_text *text, float value)
{
    if (isnan(value))
        lwi_print(text, "NAN");
    else if (isinf(value))
        lwi_print(text, value > 0 ? "INFINITY" : "-INFINITY");
    else if (value == floorf(value) && fabsf(value) < 1e6f && !(value == 0 && signbit(value)))
        lwi_print(text, "%.1ff", value);
    else
        lwi_print(text, "%af", value);
}

void lwi_expr_pointers(const lwi_expr *e, lwi_signature *s, lwi_text *text, const char *indent)
{
    for (int t = 0; t < e->count; t++) {
        const lwi_term *term = &e->term[t];
        if (term->kind != LWI_TERM_LOAD && term->kind != LWI_TERM_INDEX)
            continue;
        if (term->kind == LWI_TERM_LOAD)
            lwi_print(text, "%sglobal const float *p%d = b%d", indent, t,
                      lwi_sign_buffer(s, LWI_ARG_READ, term->view.buffer));
        else
            lwi_print(text, "%sconst int p%d = 0", indent, t);
        if (term->view.offset) {
            lwi_sign_int(s, term->view.offset, "o%d", t);
            lwi_print(text, " + o%d", t);
        }
        for (int k = 0; k + 1 < e->loops; k++) {
            if (!term->loop[k])
                continue;
            lwi_sign_int(s, term->loop[k], "s%d_%d", t, k);
            lwi_print(text, " + i%d * s%d_%d", k, t, k);
        }
        lwi_print(text, ";\n");
        int64_t inner = term->loop[e->loops - 1];
        if (inner != 0 && inner != 1)
            lwi_sign_int(s, inner, "g%d", t);
        if (inner == 0 && term->kind == LWI_TERM_LOAD)
            lwi_print(text, "%sconst float h%d = p%d[0];\n", indent, t, t);
    }
}

static void print_load(const lwi_expr *e, lwi_text *text, int t, int width)
{
    int64_t inner = e->term[t].loop[e->loops - 1];
    if (inner == 0)
        lwi_print(text, width > 1 ? "(float16)(h%d)" : "h%d", t);
    else if (inner == 1)
        lwi_print(text, width > 1 ? "vload16(0, p%d + i)" : "p%d[i]", t);
    else
        lwi_print(text, width > 1 ? "GATHER(p%d + i * g%d, g%d)" : "p%d[i * g%d]", t, t, t);
}

static void print_index(const lwi_expr *e, lwi_text *text, int t, int width)
{
    int64_t inner = e->term[t].loop[e->loops - 1];
    const char *lanes = width > 1 ? "LANES" : "0";
    const char *type = width > 1 ? "16" : "";
    if (inner == 0)
        lwi_print(text, "(float%s)(float)p%d", type, t);
    else if (inner == 1)
        lwi_print(text, "convert_float%s(p%d + i + %s)", type, t, lanes);
    else
        lwi_print(text, "convert_float%s(p%d + (i + %s) * g%d)", type, t, lanes, t);
}

/* Text of each op; %a %b %c are operands, %f %g the node's numbers, %T the type. */
static const char *op_text(const lwi_term *term)
{
    switch (term->op) {
    case LWI_AFFINE:
        return term->f[1] == 0 ? "%a * %f" : term->f[0] == 1 ? "%a + %g" : "fma(%a, (%T)(%f), (%T)(%g))";
    case LWI_ABS: return "fabs(%a)";
    case LWI_SIGN: return "sign(%a)";
    case LWI_FLOOR: return "floor(%a)";
    case LWI_SQRT: return "sqrt(%a)";
    case LWI_RSQRT: return "1.0f / sqrt(%a)";
    case LWI_EXP: return "exp(%a)";
    case LWI_LOG: return "log(%a)";
    case LWI_SIN: return "sin(%a)";
    case LWI_COS: return "cos(%a)";
    case LWI_ASIN: return "asin(%a)";
    case LWI_ERF: return "erf(%a)";
    case LWI_TANH: return "tanh(%a)";
    case LWI_SIGMOID: return "1.0f / (1.0f + exp(-%a))";
    case LWI_SOFTPLUS: return "fmax(%a, (%T)(0.0f)) + log1p(exp(-fabs(%a)))";
    case LWI_LEAKY_RELU: return "select(%a * %f, %a, %a > 0.0f)";
    case LWI_ADD: return "%a + %b";
    case LWI_SUB: return "%a - %b";
    case LWI_MUL: return "%a * %b";
    case LWI_DIV: return "%a / %b";
    case LWI_POW: return "pow(%a, %b)";
    case LWI_MAXIMUM: return "fmax(%a, %b)";
    case LWI_MINIMUM: return "fmin(%a, %b)";
    case LWI_LESS: return "select((%T)(0.0f), (%T)(1.0f), %a < %b)";
    case LWI_EQUAL: return "select((%T)(0.0f), (%T)(1.0f), %a == %b)";
    case LWI_WHERE: return "select(%c, %b, %a != 0.0f)";
    default: return "%a";
    }
}

static void print_op(lwi_text *text, const lwi_term *term, int width)
{
    for (const char *c = op_text(term); *c; c++) {
        if (*c != '%') {
            lwi_print(text, "%c", *c);
            continue;
        }
        c++;
        if (*c == 'T')
            lwi_print(text, width > 1 ? "float16" : "float");
        else if (*c == 'f' || *c == 'g')
            print_float(text, term->f[*c == 'g']);
        else
            lwi_print(text, "t%d", term->in[*c - 'a']);
    }
}

void lwi_expr_body(const lwi_expr *e, lwi_signature *s, lwi_text *text, int width, const char *indent)
{
    (void)s;
    for (int t = 0; t < e->count; t++) {
        const lwi_term *term = &e->term[t];
        lwi_print(text, "%sconst float%s t%d = ", indent, width > 1 ? "16" : "", t);
        if (term->kind == LWI_TERM_LITERAL) {
            lwi_print(text, width > 1 ? "(float16)(" : "(");
            print_float(text, term->value);
            lwi_print(text, ")");
        } else if (term->kind == LWI_TERM_LOAD) {
            print_load(e, text, t, width);
        } else if (term->kind == LWI_TERM_INDEX) {
            print_index(e, text, t, width);
        } else {
            print_op(text, term, width);
        }
        lwi_print(text, ";\n");
    }
}

static uint64_t hash_text(const char *text)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (; *text; text++)
        hash = (hash ^ (uint8_t)*text) * 0x100000001b3u;
    return hash;
}

void lwi_emit_generated(lwi_lowering *l, lwi_signature *s, lwi_text *body, const char *prefix)
{
    lwi_text whole = {0};
    if (s->full && l->status == LW_OK)
        l->status = lw_fail(LW_INTERNAL, "a generated kernel needs more than %d arguments", LWI_MAX_ARGS);
    lwi_print(&whole, "(%s)\n{\n%s}\n", s->parameters.data ? s->parameters.data : "",
              body->data ? body->data : "");
    if (l->status == LW_OK && (whole.failed || body->failed || s->parameters.failed))
        l->status = LW_MEMORY;
    if (l->status == LW_OK) {
        char name[64];
        snprintf(name, sizeof name, "%s_%016llx", prefix, (unsigned long long)hash_text(whole.data));
        lwi_text source = {0};
        lwi_print(&source, "kernel void %s%s\n", name, whole.data);
        s->launch.source = source.data;
        s->launch.kernel = name;
        s->launch.options = "";
        s->launch.generated = true;
        if (source.failed)
            l->status = LW_MEMORY;
        else
            lwi_emit(l, &s->launch);
        lw_free(source.data);
    }
    lw_free(whole.data);
    lw_free(s->parameters.data);
    lw_free(body->data);
    memset(&s->parameters, 0, sizeof s->parameters);
    memset(body, 0, sizeof *body);
}
