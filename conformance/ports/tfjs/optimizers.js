'use strict';
// TensorFlow.js optimizers with Gradient Centralization: this is the port.

const tf = require('@tensorflow/tfjs');

/** Eq. 1: subtract the mean over all axes but the last, which numbers the outputs. */
function centralize(gradient) {
  if (gradient.rank < 2) return gradient;
  const inputs = [...Array(gradient.rank - 1).keys()];
  return tf.tidy(() => gradient.sub(gradient.mean(inputs, true)));
}

/** A planted mistake, to show that it is found: one mean for the whole tensor. */
function centralizeWholeTensor(gradient) {
  return gradient.rank < 2 ? gradient : tf.tidy(() => gradient.sub(gradient.mean()));
}

/** Another one: right for Dense kernels, wrong for those of convolutions. */
function centralizeFirstAxis(gradient) {
  return gradient.rank < 2 ? gradient : tf.tidy(() => gradient.sub(gradient.mean(0, true)));
}

const CENTRALIZERS = {
  none: centralize,
  'whole-tensor': centralizeWholeTensor,
  'first-axis': centralizeFirstAxis,
};

/** An optimizer class whose every step is fed with phi(gradient): minimize() calls this too. */
function centralized(Optimizer, phi) {
  return class extends Optimizer {
    applyGradients(gradients) {
      const entries = Array.isArray(gradients)
        ? gradients.map(({ name, tensor }) => [name, tensor])
        : Object.entries(gradients);
      const fed = entries.map(([name, tensor]) => ({ name, tensor: phi(tensor) }));
      super.applyGradients(fed);
    }
  };
}

/** Make SGD with momentum; GC only if `phi` is given. */
function momentum({ lr, momentum: beta }, phi) {
  const Optimizer = phi ? centralized(tf.MomentumOptimizer, phi) : tf.MomentumOptimizer;
  return new Optimizer(lr, beta);
}

/** Make Adam; GC only if `phi` is given. */
function adam({ lr, beta1, beta2, eps }, phi) {
  const Optimizer = phi ? centralized(tf.AdamOptimizer, phi) : tf.AdamOptimizer;
  return new Optimizer(lr, beta1, beta2, eps);
}

module.exports = { CENTRALIZERS, adam, momentum };
