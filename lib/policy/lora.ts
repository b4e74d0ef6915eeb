/**
 * Low-rank adapters (LoRA, Hu et al., arXiv 2106.09685): beside a frozen matrix W `[out, in]` two small ones are trained,
 * `y = x Wᵀ + s · (x Aᵀ) Bᵀ` with A `[r, in]`, B `[out, r]` and `s = α / r`.
 *
 * On tfjs's own operations the two small products are computed beside the large one: no second copy of W exists, and its
 * gradient is never computed. The fused operations take whole matrices and are for small policies, so there `W + s · B A`
 * is made for each forward pass ({@link mergedMatrix}); its gradient gives those of A and B.
 */
import type { Tensor, Tensor1D, Tensor2D } from "@tensorflow/tfjs";
import { tf } from "../engine/backend";
import { fault } from "../engine/errors";
import { createRandom } from "../engine/random";
import type { PolicyConfig } from "./config";
import type { Weights } from "./weights";

/** The decoder's linear layers, any of which can be adapted. */
export const LORA_TARGETS = [
  ...["q_proj", "k_proj", "v_proj", "o_proj"],
  ...["gate_proj", "up_proj", "down_proj"],
] as const;

export interface LoraConfig {
  /** Rank of the adapters (r); 0 trains the decoder's own weights instead. */
  rank: number;
  /** Their product counts `alpha / rank`-fold. */
  alpha: number;
  /** Linear layers of the decoder that are adapted, by the last part of their names. */
  targets: readonly string[];
}

export interface Adapter {
  /** `[r, in]` */
  a: Tensor2D;
  /** `[out, r]` */
  b: Tensor2D;
  /** s */
  scale: number;
}

/** A linear layer, adapted or not. */
export interface Linear {
  /** `[out, in]` */
  weight: Tensor2D;
  bias?: Tensor1D;
  adapter?: Adapter;
}

/** The adapters of a policy's weights. */
export interface Adapters {
  readonly config: LoraConfig;
  /** Folder of the checkpoint that they belong to. */
  readonly base: string;
  /** The weights without them. */
  readonly frozen: Weights;
  /** Names of all A and B: those of {@link adapterNames}. */
  readonly names: readonly string[];
  /** @param module such as `model.layers.0.mlp.up_proj` @returns nothing where it is not adapted */
  of(module: string): Adapter | undefined;
}

/** The modules of a decoder that are adapted. */
export function adaptedModules(
  { decoder }: Pick<PolicyConfig, "decoder">,
  { targets }: Pick<LoraConfig, "targets">,
): string[] {
  const projections = LORA_TARGETS.filter((target) => targets.includes(target));
  return Array.from({ length: decoder.layers }, (_unused, i) =>
    projections.map((name) => {
      const part = /^[qkvo]_/.test(name) ? "self_attn" : "mlp";
      return `model.layers.${i}.${part}.${name}`;
    }),
  ).flat();
}

/** What A and B of a module are called. */
export function adapterNames(module: string): { a: string; b: string } {
  return { a: `${module}.lora_A.weight`, b: `${module}.lora_B.weight` };
}

/**
 * Weights with adapters beside them: `get` and `replace` know A and B as well, `matrix` gives W as it is stored.
 * @param tensors A and B by name; owned by the result, and disposed of with it
 * @throws LabError for a missing or misshapen one
 */
export function adaptWeights(
  weights: Weights,
  config: LoraConfig,
  { base, tensors }: { base: string; tensors: Record<string, Tensor> },
): Weights {
  const modules = [
    ...new Set(Object.keys(tensors).map((name) => name.replace(/\.lora_[AB].*/, ""))),
  ];
  for (const module of modules) {
    const [out, inputs] = weights.get(`${module}.weight`).shape;
    const names = adapterNames(module);
    checkShape(names.a, tensors[names.a], [config.rank, inputs]);
    checkShape(names.b, tensors[names.b], [out, config.rank]);
  }
  const adapted = new Set(modules);
  const scale = config.alpha / config.rank;
  return {
    ...weights,
    adapters: {
      config,
      base,
      frozen: weights,
      names: modules.flatMap((module) => Object.values(adapterNames(module))),
      of: (module) => {
        if (!adapted.has(module)) return undefined;
        const { a, b } = adapterNames(module);
        return { a: tensors[a] as Tensor2D, b: tensors[b] as Tensor2D, scale };
      },
    },
    get: (name) => tensors[name] ?? weights.get(name),
    replace: (name, tensor) => {
      if (tensors[name] === undefined) return weights.replace(name, tensor);
      tensors[name].dispose();
      tensors[name] = tf.keep(tensor);
    },
    dispose: () => {
      tf.dispose(tensors);
      weights.dispose();
    },
  };
}

function checkShape(name: string, tensor: Tensor | undefined, shape: readonly number[]): void {
  if (tensor?.shape.join() === shape.join()) return;
  throw fault("adaptWeights", `adapter ${name} does not fit the policy`, {
    got: tensor?.shape ?? "nothing",
    expected: JSON.stringify(shape),
    try: "the checkpoint that the adapter was trained on",
  });
}

/**
 * Fresh adapters, drawn as PEFT does: A uniform in ±1/√in (Kaiming with a = √5), B zero, so that the policy is at first what
 * it was without them.
 */
export function freshAdapters(
  weights: Weights,
  policy: PolicyConfig,
  config: LoraConfig,
  { base, seed }: { base: string; seed: number },
): Weights {
  const random = createRandom(`lora/${seed}`);
  const tensors: Record<string, Tensor> = {};
  for (const module of adaptedModules(policy, config)) {
    const [out, inputs] = weights.get(`${module}.weight`).shape as [number, number];
    const stream = random.fork(module);
    const bound = 1 / Math.sqrt(inputs);
    const values = Float32Array.from({ length: config.rank * inputs }, () => bound * (2 * stream.next() - 1)); // prettier-ignore
    const { a, b } = adapterNames(module);
    tensors[a] = tf.tensor2d(values, [config.rank, inputs]);
    tensors[b] = tf.zeros([out, config.rank]);
  }
  return adaptWeights(weights, config, { base, tensors });
}

/**
 * The same weights with their adapters as they are now, whatever becomes of them. To dispose of it leaves the frozen
 * weights alone.
 */
export function withAdaptersOfNow(weights: Weights): Weights {
  const { config, base, names } = weights.adapters as Adapters;
  const copies = Object.fromEntries(names.map((name) => [name, weights.get(name).clone()]));
  const copy = adaptWeights(weights, config, { base, tensors: copies });
  return { ...copy, dispose: () => tf.dispose(copies) };
}

/** A linear layer by its module's name; the tensors are the weights' own. */
export function linearLayer(weights: Weights, module: string, { bias = false } = {}): Linear {
  return {
    weight: weights.matrix(`${module}.weight`),
    bias: bias ? weights.vector(`${module}.bias`) : undefined,
    adapter: weights.adapters?.of(module),
  };
}

/** W, or `W + s · B A` where it is adapted, differentiable in A and B. The caller's tidy owns a merged one. */
export function mergedMatrix(weights: Weights, module: string): Tensor2D {
  const { weight, adapter } = linearLayer(weights, module);
  if (adapter === undefined) return weight;
  return tf.tidy(() => weight.add(tf.matMul(adapter.b, adapter.a).mul(adapter.scale)));
}

/** Adds every adapter to its weights for good. @returns the weights without adapters */
export function absorbAdapters(weights: Weights): Weights {
  const { names, frozen } = weights.adapters as Adapters;
  for (const name of names) {
    const module = name.replace(/\.lora_A\.weight$/, "");
    if (module !== name) weights.replace(`${module}.weight`, mergedMatrix(weights, module));
  }
  tf.dispose(names.map((name) => weights.get(name)));
  return frozen;
}
