/**
 * AdamW (Loshchilov and Hutter, arXiv 1711.05101, algorithm 2) over all parameters as one vector.
 *
 * Parameters and moments are updated as a single `[P]` tensor: a dozen operations a step however many parameters
 * there are, and a state that a checkpoint holds in two tensors.
 */
import type { Tensor, Tensor1D } from "@tensorflow/tfjs";
import { tf } from "../engine/backend";
import { fault } from "../engine/errors";
import type { HostTensor } from "../engine/safetensors";
import type { Weights } from "../policy/weights";

export interface AdamWOptions {
  beta1: number;
  beta2: number;
  epsilon: number;
  /** Decoupled weight decay; matrices only, gains and biases are left alone. */
  weightDecay: number;
  /** Largest Euclidean norm of the gradient; larger ones are scaled down. */
  maxGradNorm: number;
  /** A gradient whose norm is above it is not followed at all. */
  stopGradNorm: number;
}

export const adamWDefaults: AdamWOptions = {
  beta1: 0.9,
  beta2: 0.95,
  epsilon: 1e-8,
  weightDecay: 0,
  maxGradNorm: 1,
  stopGradNorm: Infinity,
};

/** Moments and step count as plain data, for a checkpoint. */
export interface OptimizerState {
  step: number;
  first: HostTensor;
  second: HostTensor;
}

export interface AdamW {
  /**
   * One update of the weights, in place.
   * @param gradients one a name, in the order of `names`; not disposed of
   * @param loss what the gradients are of, if the caller wants it looked at as well
   * @returns the gradient's norm before clipping
   * @throws LabError, with weights and moments as they were, when loss or norm is no number or the norm is above
   * `stopGradNorm`
   */
  update(gradients: readonly Tensor[], learningRate: number, loss?: number): number;
  state(): OptimizerState;
  restore(state: OptimizerState): void;
  dispose(): void;
}

/** @param names the parameters that are trained, all of them among `weights.names` */
export function createAdamW(
  weights: Weights,
  names: readonly string[],
  options: AdamWOptions,
): AdamW {
  const shapes = names.map((name) => weights.get(name).shape);
  const sizes = shapes.map((shape) => tf.util.sizeFromShape(shape));
  const total = sizes.reduce((a, b) => a + b, 0);
  const { beta1, beta2, epsilon, weightDecay, maxGradNorm, stopGradNorm } = options;
  let step = 0;
  let first: Tensor1D = tf.zeros([total]);
  let second: Tensor1D = tf.zeros([total]);
  const decay =
    weightDecay === 0
      ? undefined
      : tf.tidy(() => tf.concat(shapes.map((s, i) => tf.fill([sizes[i]], s.length > 1 ? 1 : 0))));
  const flatten = (tensors: readonly Tensor[]): Tensor1D =>
    tf.concat(tensors.map((tensor) => tensor.flatten()));

  return {
    update: (gradients, learningRate, loss = 0) => {
      const norm = tf.tidy(() => {
        const raw = flatten(gradients);
        // Not tf.norm, which squares by pow: ten times as long.
        const length = Math.sqrt(raw.square().sum().dataSync()[0]);
        checkUpdate({ loss, norm: length, step: step + 1, stopGradNorm });
        step++;
        const g = length > maxGradNorm ? raw.mul(maxGradNorm / length) : raw;
        const m = first.mul(beta1).add<Tensor1D>(g.mul(1 - beta1));
        const v = second.mul(beta2).add<Tensor1D>(g.square().mul(1 - beta2));
        const scale = learningRate / (1 - beta1 ** step);
        const direction = m.mul(scale).div(
          v
            .div(1 - beta2 ** step)
            .sqrt()
            .add(epsilon),
        );
        const old = flatten(names.map((name) => weights.get(name)));
        const shrunk =
          decay === undefined ? old : old.sub(old.mul(decay).mul(learningRate * weightDecay));
        const parts = tf.split(shrunk.sub(direction), sizes);
        names.forEach((name, i) => weights.replace(name, parts[i].reshape(shapes[i])));
        tf.dispose([first, second]);
        first = tf.keep(m);
        second = tf.keep(v);
        return length;
      });
      return norm;
    },
    state: () => ({
      step,
      first: { shape: [total], data: first.dataSync<"float32">().slice() },
      second: { shape: [total], data: second.dataSync<"float32">().slice() },
    }),
    restore: (state) => {
      if (state.first.data.length !== total || state.second.data.length !== total) {
        throw fault("AdamW.restore", "the saved moments belong to other parameters", {
          got: state.first.data.length,
          expected: `${total} numbers`,
          try: "the checkpoint of the same run",
        });
      }
      tf.dispose([first, second]);
      step = state.step;
      first = tf.tensor1d(state.first.data);
      second = tf.tensor1d(state.second.data);
    },
    dispose: () => tf.dispose(decay === undefined ? [first, second] : [first, second, decay]),
  };
}

/** @throws LabError when an update would not be one to follow */
function checkUpdate({
  loss,
  norm,
  step,
  stopGradNorm,
}: { loss: number; norm: number; step: number } & Pick<AdamWOptions, "stopGradNorm">): void {
  const hint = "a smaller learning rate, or the last checkpoint before this step";
  if (!Number.isFinite(loss)) {
    throw fault("AdamW.update", `the loss of optimiser step ${step} is not finite`, {
      got: String(loss),
      try: hint,
    });
  }
  if (!Number.isFinite(norm)) {
    throw fault("AdamW.update", `the gradient of optimiser step ${step} is not finite`, {
      got: String(norm),
      try: hint,
    });
  }
  if (norm > stopGradNorm) {
    throw fault("AdamW.update", `the gradient of optimiser step ${step} explodes`, {
      got: norm,
      expected: `a norm of at most stopGradNorm = ${stopGradNorm}`,
      try: `${hint}; a larger stopGradNorm where such norms are usual`,
    });
  }
}

/**
 * Linear warm-up from 0, then half a cosine down to `floor` of the peak.
 * @param step from 0
 */
export function cosineSchedule(
  step: number,
  {
    peak,
    warmup,
    total,
    floor = 0,
  }: { peak: number; warmup: number; total: number; floor?: number },
): number {
  if (step < warmup) return (peak * (step + 1)) / warmup;
  const progress = Math.min(1, (step - warmup) / Math.max(1, total - warmup));
  return peak * (floor + (1 - floor) * 0.5 * (1 + Math.cos(Math.PI * progress)));
}

/**
 * A loss and its gradients in the named parameters. The caller disposes of the gradients.
 * @param loss builds a scalar from the weights
 */
export function lossAndGradients(
  weights: Weights,
  names: readonly string[],
  loss: () => Tensor,
): { loss: number; gradients: Tensor[] } {
  const parameters = names.map((name) => weights.get(name));
  try {
    const { value, grads } = tf.valueAndGrads(() => loss())(parameters);
    const result = value.dataSync()[0];
    value.dispose();
    return { loss: result, gradients: grads };
  } catch (error) {
    // What a failed forward had saved for its gradient, tfjs forgets.
    for (const { saved } of tf.engine().state.activeTape ?? []) tf.dispose(saved ?? []);
    throw error;
  }
}

/** Sums the gradients of two pieces of a batch and disposes of the addends. */
export function addGradients(a: readonly Tensor[], b: readonly Tensor[]): Tensor[] {
  const sum = a.map((gradient, i) => tf.add(gradient, b[i]));
  tf.dispose([...a, ...b]);
  return sum;
}
