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

/** In {@link Work.index}: a token that was never computed. */
export const NOWHERE = -1;

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
  /** @param x what was normalised `[N, D]` @returns gradients of it and of the gain `[D]` */
  rmsNormGrad(
    dNormed: Tensor2D,
    x: Tensor2D,
    gain: Tensor1D,
    inverse: Tensor1D,
  ): [dx: Tensor2D, dGain: Tensor1D];
  /** @param x gate and up side by side `[N, 2F]` @returns `silu(gate) · up`, `[N, F]` */
  swiglu(x: Tensor2D): Tensor2D;
  /** Adds the bias and turns the first `heads` heads. @param x `[N, C]` @param at rows of the tables `[N]` int32 */
  rotary(x: Tensor2D, bias: Tensor1D, tables: RotaryTables, heads: number): Tensor2D;
  /** Causal attention of a grouped batch. @returns mixed values `[N, H·d]` and what the gradient needs of the shares */
  attention(qkv: Tensor2D, segments: Segments, shape: HeadShape): [mixed: Tensor2D, lse: Tensor2D];
  /** @param dMixed `[N, H·d]` @returns the gradient of the turned projections `[N, C]` */
  attentionGrad(
    dMixed: Tensor2D,
    work: Work<"qkv" | "mixed" | "lse">,
    segments: Segments,
    shape: HeadShape,
  ): Tensor2D;
  /** The gradient of a layer from its end back to what attention mixed. @param dOut `[N, D]` */
  afterAttentionGrad(
    dOut: Tensor2D,
    work: Work<"y" | "gateUp" | "mixed">,
    weights: AfterAttention,
    eps: number,
  ): AfterAttention & { dY: Tensor2D; dMixed: Tensor2D };
  /**
   * The gradient of a layer from its turned projections back to its beginning.
   * @param dTurned `[N, C]` @param dSum what flows into the beginning beside the norm `[N, D]` @param heads that were turned
   */
  beforeAttentionGrad(
    dTurned: Tensor2D,
    dSum: Tensor2D,
    work: Work<"x">,
    weights: Pick<BeforeAttention, "inputNorm" | "qkv">,
    tables: RotaryTables,
    heads: number,
    eps: number,
  ): BeforeAttention & { dx: Tensor2D };
  /** The gradient of looking up `rows` in a table of `count`. @returns `[count, D]` */
  scatterRows(dx: Tensor2D, rows: Tensor1D, count: number): Tensor2D;
  /** Keys and values of prompts as {@link decodeAttention} reads them. @returns `[P, blocks, KV · 2 · 16 · d]` */
  packPrompts(qkv: Tensor2D, prompts: Tensor1D, shape: Tensor1D): Tensor;
  /** A weight as {@link linear} and {@link decodeStep} read it. @param weight `[out, in]` @returns `[out / 32, in, 32]`, rounded up */
  packLinear(weight: Tensor2D): Tensor;
  /** `x weightᵀ` @param x `[N, in]` @param packed from {@link packLinear} @returns `[N, out]` */
  linear(x: Tensor2D, packed: Tensor, out: number): Tensor2D;
  /**
   * The whole decoder for one token of each row, and the draw of the next; {@link StepInputs.own} is written in place.
   * @returns token, log-probability and entropy at temperature 1, `[3, A]`
   */
  decodeStep(inputs: StepInputs): Tensor2D;
  /** Memory with nothing in it, for an operation that writes into its input. */
  empty(shape: readonly number[]): Tensor;
  /** Writes a field of some tokens into a tape `[L, T, S]`, in place. @param values `[n, width]` */
  writeTape(
    values: Tensor2D,
    tape: Tensor,
    at: { layer: number; offset: number; row: number },
  ): void;
  /** One token a row. @returns token, log-probability and entropy at temperature 1, `[3, A]` */
  draw(logits: Tensor2D, uniforms: Tensor1D, temperature: number): Tensor2D;
  /** `log softmax(states headᵀ)[target]` @param states `[n, D]` @param head `[V, D]` @returns `[n]` */
  headLogprobs(states: Tensor2D, head: Tensor2D, target: Tensor1D): Tensor1D;
  headGrad(
    dy: Tensor1D,
    states: Tensor2D,
    head: Tensor2D,
    target: Tensor1D,
  ): [dStates: Tensor2D, dHead: Tensor2D];
}

/** Where a field of a layer's forward pass lies: from number `offset` of a memory on, `stride` numbers a row. */
export interface Field {
  memory: Tensor;
  offset: number;
  stride: number;
}

/** Fields of a layer's forward pass, as an update's tokens find them. */
export interface Work<Name extends string> {
  fields: Record<Name, Field>;
  /** The row of each token `[N]` int32, or {@link NOWHERE}; `[0]` where token i is row i. */
  index: Tensor1D;
}

/** Parameters between attention and the end of a layer, or their gradients. */
export interface AfterAttention {
  /** `[D, H·d]` */
  output: Tensor2D;
  /** `[D]` */
  mlpNorm: Tensor1D;
  /** `[2F, D]` */
  gateUp: Tensor2D;
  /** `[D, F]` */
  down: Tensor2D;
}

/** Parameters between the beginning of a layer and attention, or their gradients. */
export interface BeforeAttention {
  /** `[D]` */
  inputNorm: Tensor1D;
  /** `[C, D]` */
  qkv: Tensor2D;
  /** `[C]` */
  qkvBias: Tensor1D;
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
  /** D, F, heads, key/value heads, d, L, V, and the tokens that a slot has on the tape `[8]` int32. */
  shape: Tensor1D;
  /** Where the step leaves what a training step needs again, `[L, T, S]`, slot after slot; empty when nobody does. */
  tape: Tensor;
  /** The streams that leave the last layer, `[1, T, D]`, or empty. */
  leaving: Tensor;
}

/** Operations and how many tensors each gives. */
const OUTPUTS = {
  SrpoAddRmsNorm: 3,
  SrpoRmsNormGrad: 2,
  SrpoSwiglu: 1,
  SrpoRotary: 1,
  SrpoAttention: 2,
  SrpoAttentionGrad: 1,
  SrpoAfterAttentionGrad: 6,
  SrpoBeforeAttentionGrad: 4,
  SrpoScatterRows: 1,
  SrpoPackPrompts: 1,
  SrpoPackLinear: 1,
  SrpoLinear: 1,
  SrpoDecodeStep: 1,
  SrpoEmpty: 1,
  SrpoWriteTape: 1,
  SrpoDraw: 1,
  SrpoHeadLogprobs: 1,
  SrpoHeadGrad: 2,
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
  const packed = (weight: Tensor2D, transposed = false): Tensor =>
    only(run("SrpoPackLinear", weight, whole(transposed ? 1 : 0)));
  const none = (x: Tensor2D | undefined, like: Tensor2D): Tensor2D =>
    x ?? tf.tensor2d([], [0, like.shape[1]]);
  return {
    addRmsNorm: (x, delta, gain, eps) =>
      run("SrpoAddRmsNorm", x, none(delta, x), gain, number(eps)),
    rmsNormGrad: (dNormed, x, gain, inverse) => run("SrpoRmsNormGrad", dNormed, x, gain, inverse),
    swiglu: (x) => only(run("SrpoSwiglu", x)),
    rotary: (x, bias, { cos, sin, at }, heads) =>
      only(run("SrpoRotary", x, bias, cos, sin, at, whole(heads))),
    attention: (qkv, { prompts, completions }, shape) =>
      run("SrpoAttention", qkv, prompts, completions, shape),
    attentionGrad: (dMixed, work, { prompts, completions }, shape) => {
      const { memories, where } = places(work, ["qkv", "mixed", "lse"]);
      return only(
        run(
          ...(["SrpoAttentionGrad", dMixed, ...memories, where, work.index] as const),
          ...([prompts, completions, shape] as const),
        ),
      );
    },
    afterAttentionGrad: (dOut, work, { mlpNorm, gateUp, down, output }, eps) => {
      const { memories, where } = places(work, ["y", "gateUp", "mixed"]);
      const transposes = [gateUp, down, output].map((weight) => packed(weight, true));
      const [dY, dMixed, ...slopes] = run<Tensor2D[]>(
        ...(["SrpoAfterAttentionGrad", dOut, ...memories, where, work.index] as const),
        ...[mlpNorm, ...transposes, number(eps)],
      );
      const [dDown, dGateUp, dOutput, dNorm] = slopes;
      const gradients = { down: dDown, gateUp: dGateUp, output: dOutput };
      return { dY, dMixed, ...gradients, mlpNorm: dNorm as Tensor as Tensor1D };
    },
    beforeAttentionGrad: (
      dTurned,
      dSum,
      work,
      { inputNorm, qkv },
      { cos, sin, at },
      heads,
      eps,
    ) => {
      const { memories, where } = places(work, ["x"]);
      const [dx, dQkv, dBias, dNorm] = run<Tensor[]>(
        ...(["SrpoBeforeAttentionGrad", dTurned, dSum, ...memories, where, work.index] as const),
        ...[inputNorm, packed(qkv, true), cos, sin, at, whole(heads), number(eps)],
      );
      return {
        dx: dx as Tensor2D,
        qkv: dQkv as Tensor2D,
        qkvBias: dBias as Tensor1D,
        inputNorm: dNorm as Tensor1D,
      };
    },
    scatterRows: (dx, rows, count) => only(run("SrpoScatterRows", dx, rows, whole(count))),
    packPrompts: (qkv, prompts, shape) => only(run("SrpoPackPrompts", qkv, prompts, shape)),
    packLinear: (weight) => packed(weight),
    linear: (x, packed, out) => only(run("SrpoLinear", x, packed, whole(out))),
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
    writeTape: (values, tape, { layer, offset, row }) =>
      tf.tidy(() => {
        run("SrpoWriteTape", values, tape, tf.tensor1d([layer, offset, row], "int32"));
      }),
    draw: (logits, uniforms, temperature) =>
      only(run("SrpoDraw", logits, uniforms, number(temperature))),
    headLogprobs: (states, head, target) =>
      only(run("SrpoHeadLogprobs", states, packed(head), target, whole(head.shape[0]))),
    headGrad: (dy, states, head, target) =>
      run("SrpoHeadGrad", dy, states, packed(head), packed(head, true), target),
  };
}

/** The memories of some fields, and where in them each begins and how wide its rows are, as the operations take them. */
function places<Name extends string>(
  { fields }: Work<Name>,
  names: readonly Name[],
): { memories: Tensor[]; where: Tensor1D } {
  const where = names.flatMap((name) => [fields[name].offset, fields[name].stride]);
  return {
    memories: names.map((name) => fields[name].memory),
    where: tf.tensor1d(where, "int32"),
  };
}

function only<T>([tensor]: T[]): T {
  return tensor;
}
