/**
 * Gradient checkpointing (Chen et al., arXiv 1604.06174): a layer keeps its input alone, and the gradient computes the layer
 * again. Memory of a forward pass falls to one layer's, for a third more arithmetic.
 */
import type { Tensor, Tensor2D } from "@tensorflow/tfjs";
import { tf } from "../engine/backend";

/**
 * `run(x, layer)`, differentiable in x and in every tensor of the layer.
 * @param layer its parameters: tensors in objects, to any depth
 * @param run must make every other tensor that it needs itself: it is called again when those of now are gone
 */
export function recomputed<L extends object>(
  x: Tensor2D,
  layer: L,
  run: (x: Tensor2D, layer: L) => Tensor2D,
): Tensor2D {
  const runOn = ([input, ...tensors]: readonly Tensor[]): Tensor2D =>
    run(input as Tensor2D, mapTensors(layer, () => tensors.shift() as Tensor) as L);
  const parameters: Tensor[] = [];
  mapTensors(layer, (tensor) => {
    parameters.push(tensor);
    return tensor;
  });
  const checkpointed = tf.customGrad((...args) => {
    const save = args[args.length - 1] as unknown as (tensors: Tensor[]) => void;
    const inputs = args.slice(0, -1) as Tensor[];
    save(inputs);
    return {
      value: tf.tidy(() => runOn(inputs)),
      gradFunc: (dy: Tensor, saved: Tensor[]) => gradientsWithin(saved, dy, runOn),
    };
  });
  return checkpointed(x, ...parameters) as Tensor2D;
}

/** The same with every tensor replaced, always in the same order. */
function mapTensors(value: unknown, replace: (tensor: Tensor) => Tensor): unknown {
  if (value instanceof tf.Tensor) return replace(value);
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, part]) => [name, mapTensors(part, replace)]),
  );
}

/** Gradients while others are being computed: tfjs has one tape, and the outer gradient still cleans up its own. */
function gradientsWithin(
  inputs: readonly Tensor[],
  dy: Tensor,
  run: (inputs: readonly Tensor[]) => Tensor,
): Tensor[] {
  const { state } = tf.engine();
  const outer = state.activeTape;
  try {
    return tf.grads((...again: Tensor[]) => run(again))([...inputs], dy);
  } finally {
    state.activeTape = outer;
  }
}
