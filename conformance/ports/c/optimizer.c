#include "optimizer.h"

#include <math.h>

void gc_centralize(float *g, size_t size, size_t outputs, size_t rank, gc_mistake mistake) {
    if (rank < 2 && mistake != MISTAKE_VECTORS_TOO) return;
    if (size == 0) return;
    if (rank < 2 || mistake == MISTAKE_WHOLE_TENSOR) outputs = 1;
    size_t inputs = size / outputs;
    for (size_t i = 0; i < outputs; i++) {
        float *row = g + i * inputs; /* outputs first: the inputs of one lie side by side */
        double sum = 0.0;
        for (size_t j = 0; j < inputs; j++) sum += row[j];
        double mean = sum / (double)inputs;
        for (size_t j = 0; j < inputs; j++) row[j] = (float)(row[j] - mean);
    }
}

void gc_sgdm_step(float *w, const float *g, float *m, size_t size, double lr, double beta) {
    for (size_t i = 0; i < size; i++) {
        m[i] = (float)(beta * m[i] + (1.0 - beta) * g[i]);
        w[i] = (float)(w[i] - lr * m[i]);
    }
}

void gc_adam_step(float *w, const float *g, float *m, float *v, size_t size, gc_adam h, int t) {
    double correction1 = 1.0 - pow(h.beta1, t), correction2 = 1.0 - pow(h.beta2, t);
    for (size_t i = 0; i < size; i++) {
        m[i] = (float)(h.beta1 * m[i] + (1.0 - h.beta1) * g[i]);
        v[i] = (float)(h.beta2 * v[i] + (1.0 - h.beta2) * g[i] * g[i]);
        w[i] = (float)(w[i] - h.lr * (m[i] / correction1) / (sqrt(v[i] / correction2) + h.eps));
    }
}
