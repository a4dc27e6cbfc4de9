/* A C port that gc-ref judges: it reads a line of JSON, runs the case, answers with a line.
 *
 *   cc -std=c99 -O2 -o gc_port gc_port.c json.c optimizer.c -lm
 *   gc-ref check 'exec:./gc_port sgdm'
 *   gc-ref check 'exec:./gc_port adam --mistake whole-tensor'
 *
 * To judge your own code, replace optimizer.c. conformance/PROTOCOL.md is the protocol.
 */
#include "json.h"
#include "optimizer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One parameter in training, with the state of its optimizer. */
typedef struct {
    const char *name;
    const json *shape;
    size_t size, rank, outputs;
    float *weight, *grad, *first, *second;
} parameter;

static int is_adam;
static gc_mistake mistake = MISTAKE_NONE;

static void *reserve(size_t count, size_t size) {
    void *memory = calloc(count ? count : 1, size);
    if (memory) return memory;
    fputs("gc_port: out of memory\n", stderr);
    exit(1);
}

/* Read a line of any length without its end; NULL at the end of the input. */
static char *read_line(FILE *file) {
    size_t length = 0, room = 1 << 16;
    char *line = reserve(room, 1);
    while (fgets(line + length, (int)(room - length), file)) {
        length += strlen(line + length);
        if (length && line[length - 1] == '\n') return line[length - 1] = '\0', line;
        if (room - length < 2 && !(line = realloc(line, room *= 2))) exit(1);
    }
    return free(line), NULL;
}

static double hyperparameter(const json *run, const char *name) {
    const json *value = json_member(json_member(run, "hyperparameters"), name);
    return value ? strtod(value->string, NULL) : NAN; /* strtod reads "0x1.8p+1" */
}

/* Values of an array; a float32 comes as text without a digit lost. */
static int read_values(const json *array, float *to, size_t size) {
    const json *values = json_member(array, "values");
    if (!values || values->count != size) return 0;
    for (const json *v = values->child; v; v = v->next) *to++ = (float)strtod(v->string, NULL);
    return 1;
}

static int open_parameter(parameter *p, const json *said) {
    const json *name = json_member(said, "name");
    p->shape = json_member(said, "shape");
    if (!name || !p->shape) return 0;
    p->name = name->string;
    p->rank = p->shape->count;
    p->size = 1;
    for (const json *n = p->shape->child; n; n = n->next)
        p->size *= (size_t)strtoul(n->string, NULL, 10);
    p->outputs = p->rank ? (size_t)strtoul(p->shape->child->string, NULL, 10) : 1;
    p->weight = reserve(p->size, sizeof(float));
    p->grad = reserve(p->size, sizeof(float));
    p->first = reserve(p->size, sizeof(float));
    p->second = reserve(p->size, sizeof(float));
    return read_values(said, p->weight, p->size);
}

static void close_parameter(parameter *p) {
    free(p->weight);
    free(p->grad);
    free(p->first);
    free(p->second);
}

static void step(parameter *p, const json *run, int t, int centralize) {
    if (centralize) gc_centralize(p->grad, p->size, p->outputs, p->rank, mistake);
    double lr = hyperparameter(run, "lr");
    if (is_adam) {
        gc_adam h = {lr, hyperparameter(run, "beta1"), hyperparameter(run, "beta2"),
                     hyperparameter(run, "eps")};
        gc_adam_step(p->weight, p->grad, p->first, p->second, p->size, h, t);
    } else {
        gc_sgdm_step(p->weight, p->grad, p->first, p->size, lr, hyperparameter(run, "momentum"));
    }
}

static void print_parameter(const parameter *p) {
    printf("\"%s\": {\"shape\": [", p->name);
    for (const json *n = p->shape->child; n; n = n->next)
        printf("%s%s", n->string, n->next ? ", " : "");
    printf("], \"values\": [");
    for (size_t i = 0; i < p->size; i++) printf("%s\"%a\"", i ? ", " : "", p->weight[i]);
    printf("]}");
}

/* Train the parameters of a case and print them after each step. */
static void answer_run(const json *run) {
    const json *id = json_member(run, "id"), *said = json_member(run, "parameters");
    const json *gradients = json_member(run, "gradients"), *gc = json_member(run, "gc");
    size_t count = said->count, i = 0;
    parameter *model = reserve(count, sizeof *model);
    int good = 1, t = 0;
    for (const json *p = said->child; p; p = p->next) good &= open_parameter(&model[i++], p);
    printf("{\"id\": %s, \"steps\": [", id->string);
    for (const json *g = gradients->child; good && g; g = g->next) {
        t++;
        for (i = 0; i < count; i++) {
            parameter *p = &model[i];
            good &= read_values(json_member(g, p->name), p->grad, p->size);
            step(p, run, t, !gc || gc->type == JSON_TRUE);
        }
        printf("%s{", t > 1 ? ", " : "");
        for (i = 0; i < count; i++) {
            print_parameter(&model[i]);
            if (i + 1 < count) printf(", ");
        }
        printf("}");
    }
    printf("]}\n");
    for (i = 0; i < count; i++) close_parameter(&model[i]);
    free(model);
    if (good) return;
    fputs("gc_port: this is no run of the protocol\n", stderr);
    exit(1);
}

static void answer_hello(void) {
    const char *algorithm = is_adam ? "adam" : "sgdm";
    printf("{\"protocol\": \"gc-ref-exec\", \"version\": 1, \"name\": \"c-%s\", "
           "\"kind\": \"optimizer\", \"layout\": \"output-first\", \"dtypes\": [\"float32\"], "
           "\"hyperparameters\": [%s], \"algorithm\": \"%s\", \"switch\": true}\n",
           algorithm, is_adam ? "\"lr\", \"beta1\", \"beta2\", \"eps\"" : "\"lr\", \"momentum\"",
           algorithm);
}

static int usage(void) {
    fputs("usage: gc_port sgdm|adam [--mistake whole-tensor|vectors-too]\n", stderr);
    return 2;
}

int main(int argc, char **argv) {
    if (argc != 2 && argc != 4) return usage();
    is_adam = strcmp(argv[1], "adam") == 0;
    if (!is_adam && strcmp(argv[1], "sgdm") != 0) return usage();
    if (argc == 4) {
        if (strcmp(argv[2], "--mistake") != 0) return usage();
        if (strcmp(argv[3], "whole-tensor") == 0) mistake = MISTAKE_WHOLE_TENSOR;
        else if (strcmp(argv[3], "vectors-too") == 0) mistake = MISTAKE_VECTORS_TOO;
        else return usage();
    }
    for (char *line; (line = read_line(stdin));) {
        json *message = json_read(line);
        const json *type = json_member(message, "type");
        if (!type) return fputs("gc_port: this is no message of the protocol\n", stderr), 1;
        if (strcmp(type->string, "hello") == 0) answer_hello();
        else answer_run(message);
        fflush(stdout); /* or the answer waits in a buffer */
        json_free(message);
        free(line);
    }
    return 0;
}
