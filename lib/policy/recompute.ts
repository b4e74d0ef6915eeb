/**
 * Gradient checkpointing (Chen et al., arXiv 1604.06174): a layer keeps its input alone, and the gradient computes the layer
 * again. Memory of a forward pass falls to one layer's, for a third more arithmetic.
 */
import type { Tensor, Tensor2D } from "@tensorflow/tfjs";
import { tf } from "../engine/backend";

/** A layer's parameters. */
type Parameters = Readonly<Record<string, Tensor>>;

/**
 * `run(x, layer)`, differentiable in x and the layer's tensors.
 * @param run must make every other tensor that it needs itself: it is called again when those of now are gone
 */
export function recomputed<L extends Parameters>(
  x: Tensor2D,
  layer: L,
  run: (x: Tensor2D, layer: L) => Tensor2D,
): Tensor2D {
  const names = Object.keys(layer);
  const runOn = ([input, ...tensors]: readonly Tensor[]): Tensor2D =>
    run(
      input as Tensor2D,
      Object.fromEntries(names.map((name, i) => [name, tensors[i]])) as unknown as L,
    );
  const checkpointed = tf.customGrad((...args) => {
    const save = args[args.length - 1] as unknown as (tensors: Tensor[]) => void;
    const inputs = args.slice(0, -1) as Tensor[];
    save(inputs);
    return {
      value: tf.tidy(() => runOn(inputs)),
      gradFunc: (dy: Tensor, saved: Tensor[]) => gradientsWithin(saved, dy, runOn),
    };
  });
  return checkpointed(x, ...names.map((name) => layer[name])) as Tensor2D;
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
