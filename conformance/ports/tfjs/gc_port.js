'use strict';
// A TensorFlow.js port that gc-ref judges: a line of JSON in, a line of JSON out.
//
//   npm ci
//   gc-ref check 'exec:node gc_port.js momentum'
//   gc-ref check 'exec:node gc_port.js adam --mistake first-axis'
//
// To judge your own code, replace optimizers.js. conformance/PROTOCOL.md is the protocol.

// TensorFlow.js greets on the console: standard output is for answers only.
console.log = console.info = console.error;

const readline = require('node:readline');
const tf = require('@tensorflow/tfjs');
const { CENTRALIZERS, adam, momentum } = require('./optimizers.js');
const { readNumber, writeNumber } = require('./numbers.js');

const ALGORITHMS = {
  momentum: { make: momentum, hyperparameters: ['lr', 'momentum'], algorithm: 'sgdm' },
  adam: { make: adam, hyperparameters: ['lr', 'beta1', 'beta2', 'eps'], algorithm: 'adam' },
};

const [name, option, mistake = 'none'] = process.argv.slice(2);
const port = ALGORITHMS[name];
const phi = CENTRALIZERS[mistake];
if (!port || !phi || (option !== undefined && option !== '--mistake')) {
  console.error('usage: gc_port.js momentum|adam [--mistake whole-tensor|first-axis]');
  process.exit(2);
}

function hello() {
  return {
    protocol: 'gc-ref-exec',
    version: 1,
    name: `tfjs-${name}`,
    kind: 'optimizer',
    layout: 'output-last',
    dtypes: ['float32'],
    hyperparameters: port.hyperparameters,
    algorithm: port.algorithm,
    drives: ['checkpoint', 'twin'],
    switch: true,
    versions: { tfjs: tf.version.tfjs, node: process.versions.node },
  };
}

const toTensor = ({ shape, values }) => tf.tensor(values.map(readNumber), shape, 'float32');
const fromTensor = (tensor) => ({
  shape: tensor.shape,
  values: Array.from(tensor.dataSync(), writeNumber),
});

/** A model that trains: named variables and an optimizer for them. */
class Training {
  constructor(parameters, makeOptimizer) {
    this.variables = parameters.map((p) => [p.name, tf.variable(toTensor(p))]);
    this.optimizer = makeOptimizer();
  }

  /** One step of the real loop, under a loss whose gradient is the one that is wanted. */
  step(gradients) {
    this.optimizer.minimize(
      () => tf.addN(this.variables.map(([n, v]) => v.mul(toTensor(gradients[n])).sum())),
      false,
      this.variables.map(([, v]) => v),
    );
  }

  read() {
    return Object.fromEntries(this.variables.map(([n, v]) => [n, fromTensor(v)]));
  }

  dispose() {
    this.variables.forEach(([, v]) => v.dispose());
    this.optimizer.dispose();
  }
}

async function run({ id, parameters, gradients, hyperparameters, drive, gc }) {
  const h = Object.fromEntries(Object.entries(hyperparameters).map(([k, v]) => [k, readNumber(v)]));
  const makeOptimizer = () => port.make(h, gc ? phi : null);
  const training = new Training(parameters, makeOptimizer);
  const other = drive.includes('twin') ? new Training(parameters, makeOptimizer) : null;
  const steps = [];
  for (const [i, step] of gradients.entries()) {
    if (drive.includes('checkpoint') && i === 1) {
      const weights = await training.optimizer.getWeights();
      const saved = await Promise.all(weights.map(async ({ name, tensor }) => (
        { name, tensor: tf.tensor(await tensor.array(), tensor.shape, tensor.dtype) })));
      training.optimizer = makeOptimizer();
      await training.optimizer.setWeights(saved);
    }
    if (other) other.step(Object.fromEntries(
      Object.entries(step).map(([n, g]) => [n, { ...g, values: [...g.values].reverse() }])));
    training.step(step);
    steps.push(training.read());
  }
  training.dispose();
  if (other) other.dispose();
  return { id, steps };
}

async function answer(message) {
  if (message.type === 'hello') return hello();
  try {
    return await run(message);
  } catch (error) {
    return { id: message.id, error: String(error) };
  }
}

(async () => {
  await tf.setBackend('cpu');
  for await (const line of readline.createInterface({ input: process.stdin })) {
    process.stdout.write(`${JSON.stringify(await answer(JSON.parse(line)))}\n`);
  }
})();
