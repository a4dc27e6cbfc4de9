/* SGDM and Adam with Gradient Centralization on float32 weights, outputs first: this is the port. */
#ifndef GC_PORT_OPTIMIZER_H
#define GC_PORT_OPTIMIZER_H

#include <stddef.h>

/* Mistakes are planted to show that they are found; a real port has none. */
typedef enum { MISTAKE_NONE, MISTAKE_WHOLE_TENSOR, MISTAKE_VECTORS_TOO } gc_mistake;

/* Eq. 1: subtract from each of the `outputs` rows of g its mean; vectors (rank < 2) stay. */
void gc_centralize(float *g, size_t size, size_t outputs, size_t rank, gc_mistake mistake);

/* Algorithm 1 after its first line: m = beta m + (1 - beta) g, w = w - lr m. */
void gc_sgdm_step(float *w, const float *g, float *m, size_t size, double lr, double beta);

typedef struct {
    double lr, beta1, beta2, eps;
} gc_adam;

/* Algorithm 2 after its first line; t counts the steps from 1. */
void gc_adam_step(float *w, const float *g, float *m, float *v, size_t size, gc_adam h, int t);

#endif
