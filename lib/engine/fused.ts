/**
 * Operations of the lab's own for libtensorflow on the CPU, each the work of a dozen of tfjs's in one pass over memory.
 *
 * Their C++ is in `native/`, compiled by set-up for this machine's processor. Where they are absent (WebAssembly, a GPU, no
 * compiler) everything runs on tfjs's own operations, which stay the definition of what is computed: the tests hold the
 * one to the other. None of them has a gradient that tfjs knows; they are called inside `tf.customGrad` or where no
 * gradient is asked for. `SRPO_FUSED=0` turns them off.
 */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import type { Tensor, Tensor1D, Tensor2D } from "@tensorflow/tfjs";
import { bindingFiles, describeEngine, tf } from "./backend";

/** The width that inputs must be a multiple of. */
export const LANES = 16;

/** In an index of the tape: a token that was never computed. */
export const NOWHERE = -(2 ** 31);

/** Heads, key/value heads and the width of a head, `[3]` int32. */
export type HeadShape = Tensor1D;

export interface FusedOps {
  /** `sum = x + delta`, normalised. @param delta absent for x itself @returns sum and normed `[N, D]`, inverse `[N]` */
  addRmsNorm(
    x: Tensor2D,
    delta: Tensor2D | undefined,
    gain: Tensor1D,
    eps: number,
  ): [sum: Tensor2D, normed: Tensor2D, inverse: Tensor1D];
  /** @param dSum what flows into the sum beside the norm @returns gradients of the sum `[N, D]` and the gain `[D]` */
  addRmsNormGrad(
    dNormed: Tensor2D,
    dSum: Tensor2D | undefined,
    sum: Tensor2D,
    gain: Tensor1D,
    inverse: Tensor1D,
  ): [dx: Tensor2D, dGain: Tensor1D];
  /** @param x gate and up side by side `[N, 2F]` @returns `silu(gate) · up`, `[N, F]` */
  swiglu(x: Tensor2D): Tensor2D;
  swigluGrad(dy: Tensor2D, x: Tensor2D): Tensor2D;
  /** Adds the bias and turns the first `heads` heads. @param x `[N, C]` @param at rows of the tables `[N]` int32 */
  rotary(x: Tensor2D, bias: Tensor1D, tables: RotaryTables, heads: number): Tensor2D;
  rotaryGrad(dy: Tensor2D, tables: RotaryTables, heads: number): [dx: Tensor2D, dBias: Tensor1D];
  /** Causal attention of a grouped batch. @returns mixed values `[N, H·d]` and what the gradient needs of the shares */
  attention(qkv: Tensor2D, segments: Segments, shape: HeadShape): [mixed: Tensor2D, lse: Tensor2D];
  attentionGrad(
    dMixed: Tensor2D,
    qkv: Tensor2D,
    mixed: Tensor2D,
    lse: Tensor2D,
    segments: Segments,
    shape: HeadShape,
  ): Tensor2D;
  /** The gradient of looking up `rows` in a table of `count`. @returns `[count, D]` */
  scatterRows(dx: Tensor2D, rows: Tensor1D, count: number): Tensor2D;
  /** Keys and values of prompts as {@link decodeAttention} reads them. @returns `[P, blocks, KV · 2 · 16 · d]` */
  packPrompts(qkv: Tensor2D, prompts: Tensor1D, shape: Tensor1D): Tensor;
  /**
   * A weight as {@link linear} and {@link decodeStep} read it, or its transpose.
   * @param weight `[out, in]` @returns `[out / 32, in, 32]`, rounded up
   */
  packLinear(weight: Tensor2D, transposed?: boolean): Tensor;
  /** `x weightᵀ` @param x `[N, in]` @param packed from {@link packLinear} @returns `[N, out]` */
  linear(x: Tensor2D, packed: Tensor, out: number): Tensor2D;
  /** The weight's gradient, `dyᵀ x`. @param dy `[N, out]` @param x `[N, in]`, in a multiple of 32 @returns `[out, in]` */
  weightGrad(dy: Tensor2D, x: Tensor2D): Tensor2D;
  /**
   * The whole decoder for one token of each row, and the draw of the next; {@link StepInputs.own} is written in place.
   * @returns token, log-probability and entropy at temperature 1, `[3, A]`
   */
  decodeStep(inputs: StepInputs): Tensor2D;
  /** Memory with nothing in it, for an operation that writes into its input. */
  empty(shape: readonly number[]): Tensor;
  /**
   * One field of a layer's tape.
   * @param prompts the field of the prompts' tokens `[Np, width]` @param which layer, offset and width of the field
   * @param index where each token is: a row of the tape, `-1 - i` for the prompts' i-th, {@link NOWHERE} for zeros `[N]`
   * @returns `[N, width]`
   */
  readTape(
    prompts: Tensor2D,
    tape: Tensor,
    which: readonly [layer: number, offset: number, width: number],
    index: Tensor1D,
  ): Tensor2D;
  /** One token a row. @returns token, log-probability and entropy at temperature 1, `[3, A]` */
  draw(logits: Tensor2D, uniforms: Tensor1D, temperature: number): Tensor2D;
  /** `log softmax(logits)[target]`. @returns it and the log of the sum of exponentials, `[n]` each */
  logprobs(logits: Tensor2D, target: Tensor1D): [logprob: Tensor1D, lse: Tensor1D];
  logprobsGrad(dy: Tensor1D, logits: Tensor2D, target: Tensor1D, lse: Tensor1D): Tensor2D;
}

/** Rotary tables of the positions that occur, and which of them each token has. */
export interface RotaryTables {
  /** `[U, d]` */
  cos: Tensor2D;
  sin: Tensor2D;
  /** `[N]` int32 */
  at: Tensor1D;
}

/** Where prompts and completions begin among the tokens, each list with the end of the last. */
export interface Segments {
  /** `[P + 1]` int32 */
  prompts: Tensor1D;
  /** `[P · G + 1]` int32; `[1]` without completions */
  completions: Tensor1D;
}

/** What a step of decoding reads, L layers, A rows. */
export interface StepInputs {
  /** The tokens drawn last `[A]` int32. */
  tokens: Tensor1D;
  /** A row's slot in `own`, its prompt, that prompt's length, its tokens so far, its rotary row `[A, 5]` int32. */
  places: Tensor2D;
  /** `[V, D]` */
  embedding: Tensor2D;
  /**
   * Every layer's input norm, packed QKV, its bias, packed output, MLP norm, packed gate and up, packed down; then the final
   * norm and the packed head; end to end.
   */
  weights: Tensor1D;
  cos: Tensor2D;
  sin: Tensor2D;
  /** `[L, P, blocks, KV · 2 · 16 · d]` */
  prompts: Tensor;
  /** `[L, R, blocks, KV · 2 · 16 · d]` */
  own: Tensor;
  /** `[A]`, in [0, 1) */
  uniforms: Tensor1D;
  /** Temperature and the norms' epsilon `[2]`. */
  numbers: Tensor1D;
  /** D, F, heads, key/value heads, d, L, V `[7]` int32. */
  shape: Tensor1D;
  /** Where the step leaves what a training step needs again, `[L, R · longest, S]`; empty when nobody does. */
  tape: Tensor;
  /** The streams that leave the last layer, `[1, R · longest, D]`, or empty. */
  leaving: Tensor;
}

/** Operations and how many tensors each gives. */
const OUTPUTS = {
  SrpoAddRmsNorm: 3,
  SrpoAddRmsNormGrad: 2,
  SrpoSwiglu: 1,
  SrpoSwigluGrad: 1,
  SrpoRotary: 1,
  SrpoRotaryGrad: 2,
  SrpoAttention: 2,
  SrpoAttentionGrad: 1,
  SrpoScatterRows: 1,
  SrpoPackPrompts: 1,
  SrpoPackLinear: 1,
  SrpoLinear: 1,
  SrpoWeightGrad: 1,
  SrpoDecodeStep: 1,
  SrpoEmpty: 1,
  SrpoReadTape: 1,
  SrpoDraw: 1,
  SrpoLogprobs: 2,
  SrpoLogprobsGrad: 1,
} as const;

let loaded: { ops?: FusedOps; reason: string } | undefined;

/** The operations, or nothing where tfjs's own must do. */
export function fusedOps(): FusedOps | undefined {
  loaded ??= load();
  return process.env.SRPO_FUSED === "0" ? undefined : loaded.ops;
}

/** Whether the operations are used, and why not. */
export function describeFused(): { used: boolean; reason: string } {
  const used = fusedOps() !== undefined;
  if (process.env.SRPO_FUSED === "0") return { used, reason: "SRPO_FUSED=0 turns them off" };
  return { used, reason: loaded?.reason ?? "" };
}

function load(): { ops?: FusedOps; reason: string } {
  const { backend, device } = describeEngine();
  if (backend !== "native") return { reason: `the engine is ${backend}` };
  if (device !== "cpu") return { reason: "they are for CPUs, and the engine runs on a GPU" };
  const file = bindingFiles().operations;
  if (!existsSync(file)) return { reason: "they are not compiled" };
  try {
    createRequire(__filename)(file);
  } catch (error) {
    return { reason: `they do not load: ${(error as Error).message.split("\n", 1)[0]}` };
  }
  for (const [kernelName, outputs] of Object.entries(OUTPUTS)) {
    tf.registerKernel({
      kernelName,
      backendName: "tensorflow",
      kernelFunc: ({ inputs, backend: node }) =>
        (node as NodeBackend).executeMultipleOutputs(
          kernelName,
          [],
          Object.values(inputs) as Tensor[],
          outputs,
        ),
    });
  }
  return { ops: operations(), reason: "compiled for this processor" };
}

/** What is used of tfjs-node's back end. */
interface NodeBackend {
  executeMultipleOutputs(
    name: string,
    attributes: readonly object[],
    inputs: readonly Tensor[],
    outputs: number,
  ): Tensor[];
}

/** Inputs are passed by position; tfjs wants names. */
function run<T>(name: keyof typeof OUTPUTS, ...inputs: readonly Tensor[]): T {
  return tf.engine().runKernel(name, Object.fromEntries(inputs.entries())) as unknown as T;
}

function operations(): FusedOps {
  const number = (x: number): Tensor1D => tf.tensor1d([x], "float32");
  const whole = (n: number): Tensor1D => tf.tensor1d([n], "int32");
  const none = (x: Tensor2D | undefined, like: Tensor2D): Tensor2D =>
    x ?? tf.tensor2d([], [0, like.shape[1]]);
  return {
    addRmsNorm: (x, delta, gain, eps) =>
      run("SrpoAddRmsNorm", x, none(delta, x), gain, number(eps)),
    addRmsNormGrad: (dNormed, dSum, sum, gain, inverse) =>
      run("SrpoAddRmsNormGrad", dNormed, none(dSum, sum), sum, gain, inverse),
    swiglu: (x) => only(run("SrpoSwiglu", x)),
    swigluGrad: (dy, x) => only(run("SrpoSwigluGrad", dy, x)),
    rotary: (x, bias, { cos, sin, at }, heads) =>
      only(run("SrpoRotary", x, bias, cos, sin, at, whole(heads))),
    rotaryGrad: (dy, { cos, sin, at }, heads) =>
      run("SrpoRotaryGrad", dy, cos, sin, at, whole(heads)),
    attention: (qkv, { prompts, completions }, shape) =>
      run("SrpoAttention", qkv, prompts, completions, shape),
    attentionGrad: (dMixed, qkv, mixed, lse, { prompts, completions }, shape) =>
      only(run("SrpoAttentionGrad", dMixed, qkv, mixed, lse, prompts, completions, shape)),
    scatterRows: (dx, rows, count) => only(run("SrpoScatterRows", dx, rows, whole(count))),
    packPrompts: (qkv, prompts, shape) => only(run("SrpoPackPrompts", qkv, prompts, shape)),
    packLinear: (weight, transposed = false) =>
      only(run("SrpoPackLinear", weight, whole(transposed ? 1 : 0))),
    linear: (x, packed, out) => only(run("SrpoLinear", x, packed, whole(out))),
    weightGrad: (dy, x) => only(run("SrpoWeightGrad", dy, x)),
    decodeStep: (inputs) => {
      const { tokens, places, embedding, weights, cos, sin, prompts, own, uniforms } = inputs;
      const { numbers, shape, tape, leaving } = inputs;
      return only(
        run(
          ...(["SrpoDecodeStep", tokens, places, embedding, weights, cos, sin, prompts] as const),
          ...([own, uniforms, numbers, shape, tape, leaving] as const),
        ),
      );
    },
    empty: (shape) =>
      tf.tidy(() => only(run<Tensor[]>("SrpoEmpty", tf.tensor1d([...shape], "int32")))),
    readTape: (prompts, tape, which, index) =>
      only(run("SrpoReadTape", prompts, tape, tf.tensor1d([...which], "int32"), index)),
    draw: (logits, uniforms, temperature) =>
      only(run("SrpoDraw", logits, uniforms, number(temperature))),
    logprobs: (logits, target) => run("SrpoLogprobs", logits, target),
    logprobsGrad: (dy, logits, target, lse) =>
      only(run("SrpoLogprobsGrad", dy, logits, target, lse)),
  };
}

function only<T>([tensor]: T[]): T {
  return tensor;
}
