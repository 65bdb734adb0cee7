/** The commands of `wheelwright model`: checkpoints as Hugging Face lays them out, judged and trained. */
import type { Command, Flags, Group } from './command.ts'

const DIRECTORY = {
  name: 'DIR',
  description: 'the directory of a model: config.json, *.safetensors, and tokenizer.json for text',
} as const

const MACHINE_FLAGS = {
  device: {
    type: 'string',
    valueName: 'DEVICE',
    default: 'auto',
    oneOf: ['auto', 'cpu', 'webgpu', 'cuda'],
    description:
      'what computes, auto being the fastest that works; `wheelwright doctor` says which do, and why others do not',
  },
  threads: {
    type: 'integer',
    valueName: 'N',
    min: 1,
    max: 1024,
    description: 'of the CPU; as many as it has cores when absent',
  },
} as const satisfies Flags

const SEQUENCE_FLAG = {
  sequence: {
    type: 'integer',
    valueName: 'TOKENS',
    min: 2,
    max: 131_072,
    default: 129,
    unit: 'tokens',
    description: 'how text is cut; the last token of a sequence is only predicted',
  },
} as const satisfies Flags

export const LOSS_FLAGS = {
  tokens: { type: 'string', valueName: 'FILE', description: 'a JSON array of equally long arrays of token ids' },
  text: { type: 'string', valueName: 'PATH,…', description: 'text or JSONL, or folders of them' },
  ...SEQUENCE_FLAG,
  ...MACHINE_FLAGS,
} as const satisfies Flags

const loss: Command<typeof LOSS_FLAGS> = {
  name: 'loss',
  summary: 'measure how well a model predicts tokens or text',
  positionals: [DIRECTORY],
  flags: LOSS_FLAGS,
  examples: [
    { line: 'wheelwright model loss ./OLMoE-1B-7B --text book.txt', shows: 'the mean loss of a token, in nats' },
    { line: 'wheelwright model loss ./tiny --tokens tokens.json --json', shows: 'and of every sequence, for programs' },
  ],
  load: () => import('./model-loss.ts'),
}

export const TRAIN_FLAGS = {
  experts: { type: 'string', valueName: 'N,…', default: '', description: 'which experts to train, in every layer' },
  group: {
    type: 'string',
    valueName: 'FILE:NAME',
    description: 'train a group that `model select` wrote, whose experts differ from layer to layer',
  },
  router: { type: 'boolean', description: 'train the routing rows, too, or alone' },
  tokens: LOSS_FLAGS.tokens,
  data: LOSS_FLAGS.text,
  ...SEQUENCE_FLAG,
  steps: {
    type: 'integer',
    valueName: 'N',
    min: 1,
    max: 10_000_000,
    default: 100,
    unit: 'steps',
    description: 'how long',
  },
  lr: { type: 'string', valueName: 'RATE', default: '0.001', description: 'the learning rate of AdamW' },
  'weight-decay': { type: 'string', valueName: 'SHARE', default: '0.01', description: 'the weight decay of AdamW' },
  warmup: {
    type: 'integer',
    valueName: 'N',
    min: 0,
    max: 1_000_000,
    default: 0,
    unit: 'steps',
    description: 'until the full rate',
  },
  decay: {
    type: 'string',
    valueName: 'FORM',
    default: 'constant',
    oneOf: ['constant', 'linear', 'cosine'],
    description: 'how the rate falls to a tenth after the warm-up',
  },
  clip: { type: 'string', valueName: 'NORM', description: 'scale gradients of a larger norm down to it' },
  batch: {
    type: 'integer',
    valueName: 'N',
    min: 1,
    max: 1_000_000,
    description: 'sequences of a step; all of --tokens, or 8 of --data, when absent',
  },
  'hold-out': {
    type: 'string',
    valueName: 'SHARE',
    default: '0',
    description: 'the part of the sequences that is not trained on, but validated',
  },
  'validate-every': {
    type: 'integer',
    valueName: 'N',
    min: 1,
    max: 1_000_000,
    default: 50,
    unit: 'steps',
    description: 'how often',
  },
  patience: {
    type: 'integer',
    valueName: 'N',
    min: 0,
    max: 1_000_000,
    default: 0,
    description: 'end after so many validations without a better loss; 0 never does',
  },
  'save-every': {
    type: 'integer',
    valueName: 'N',
    min: 1,
    max: 1_000_000,
    default: 25,
    unit: 'steps',
    description: 'how often the state is saved; the same command goes on from there after a kill',
  },
  out: { type: 'string', valueName: 'DIR', description: 'where delta.safetensors is written' },
  ...MACHINE_FLAGS,
} as const satisfies Flags

const train: Command<typeof TRAIN_FLAGS> = {
  name: 'train',
  summary: 'train some experts of a model, and nothing else of it',
  positionals: [DIRECTORY],
  flags: TRAIN_FLAGS,
  examples: [
    {
      line: 'wheelwright model train ./tiny --experts 0,1 --data notes/ --steps 200 --lr 0.002 --out ./mine',
      shows: 'mine/delta.safetensors: the changed tensors under their names',
    },
    {
      line: 'wheelwright model train ./tiny --group groups.json:english --data books/ --out ./english',
      shows: 'the same, of the experts that were selected for a domain',
    },
  ],
  load: () => import('./model-train.ts'),
}

const MANY_DELTAS = {
  name: 'DELTA[:WEIGHT]',
  many: true,
  description: 'delta.safetensors, or a directory that holds one; its weight is a whole number, 1 when absent',
} as const

const inspect: Command = {
  name: 'inspect',
  summary: 'say what a model is: family, sizes, experts, files, and what is wrong with it',
  positionals: [DIRECTORY],
  flags: {},
  examples: [{ line: 'wheelwright model inspect ./OLMoE-1B-7B', shows: 'how large it is, and how much a token uses' }],
  load: () => import('./model-inspect.ts'),
}

export const SELECT_FLAGS = {
  experts: {
    type: 'integer',
    valueName: 'N',
    min: 1,
    max: 1_000_000,
    default: 1,
    description: 'how many each domain has of every layer; domains share none',
  },
  groups: { type: 'string', valueName: 'FILE', description: 'where groups are written as a constitution has them' },
  samples: {
    type: 'integer',
    valueName: 'N',
    min: 1,
    max: 1_000_000_000,
    unit: 'sequences',
    description: 'how many to read of each domain, spread over its text; all when absent',
  },
  ...SEQUENCE_FLAG,
  ...MACHINE_FLAGS,
} as const satisfies Flags

const select: Command<typeof SELECT_FLAGS> = {
  name: 'select',
  summary: 'choose the experts of each domain, by where the model sends its text',
  positionals: [
    DIRECTORY,
    {
      name: 'NAME=PATH,…',
      many: true,
      description: 'a domain: text or JSONL, or folders of them, or a JSON array of arrays of tokens',
    },
  ],
  flags: SELECT_FLAGS,
  examples: [
    {
      line: 'wheelwright model select ./OLMoE-1B-7B english=books/ python=code.jsonl --experts 4 --groups groups.json',
      shows: 'four experts of every layer for each, and the groups for a constitution',
    },
  ],
  load: () => import('./model-select.ts'),
}

export const MERGE_FLAGS = {
  eta: { type: 'string', valueName: 'STEP', default: '1', description: 'how far to go from the model to the mean' },
  out: { type: 'string', valueName: 'DIR', description: 'where delta.safetensors is written' },
} as const satisfies Flags

const merge: Command<typeof MERGE_FLAGS> = {
  name: 'merge',
  summary: 'merge deltas of a model into one, to the same bytes on every machine',
  positionals: [DIRECTORY, MANY_DELTAS],
  flags: MERGE_FLAGS,
  examples: [
    {
      line: 'wheelwright model merge ./tiny ./mine ./yours/delta.safetensors:3 --eta 0.5 --out ./merged',
      shows: 'merged/delta.safetensors: half a step to their mean, in which yours counts three times',
    },
  ],
  load: () => import('./model-merge.ts'),
}

export const EXPORT_FLAGS = {
  delta: { type: 'string', valueName: 'DELTA', description: 'delta.safetensors, or a directory that holds one' },
  out: { type: 'string', valueName: 'DIR', description: 'the new directory' },
  link: {
    type: 'boolean',
    description: 'link shards that do not change instead of copying them: who writes into one writes into both',
  },
} as const satisfies Flags

const exportCommand: Command<typeof EXPORT_FLAGS> = {
  name: 'export',
  summary: 'write a model with a delta in it, as Hugging Face lays models out',
  positionals: [DIRECTORY],
  flags: EXPORT_FLAGS,
  examples: [
    { line: 'wheelwright model export ./tiny --delta ./mine --out ./tiny-mine', shows: 'what transformers loads' },
  ],
  load: () => import('./model-export.ts'),
}

export const NEW_FLAGS = {
  config: { type: 'string', valueName: 'FILE', description: 'a config.json of any family that can be built' },
  preset: {
    type: 'string',
    valueName: 'NAME',
    oneOf: ['byte'],
    description: 'instead of --config; byte is the kind of the genesis model, a million parameters',
  },
  seed: {
    type: 'integer',
    valueName: 'N',
    min: 0,
    max: 0xffff_ffff,
    default: 1,
    description: 'the same seed gives the same weights again, on one machine',
  },
  out: { type: 'string', valueName: 'DIR', description: 'the new directory' },
} as const satisfies Flags

const create: Command<typeof NEW_FLAGS> = {
  name: 'new',
  summary: 'make a model of random weights',
  flags: NEW_FLAGS,
  examples: [
    { line: 'wheelwright model new --preset byte --out ./tiny', shows: 'a model whose tokens are bytes' },
    { line: 'wheelwright model new --config config.json --seed 7 --out ./mine', shows: 'a model of this kind' },
  ],
  load: () => import('./model-new.ts'),
}

export const modelGroup: Group = {
  name: 'model',
  summary: 'make, judge, train and merge mixture-of-experts models',
  commands: [inspect, loss, select, train, merge, exportCommand, create],
  examples: [
    { line: 'wheelwright model inspect ./OLMoE-1B-7B', shows: 'what it is' },
    { line: 'wheelwright model loss ./OLMoE-1B-7B --text book.txt', shows: 'how well it predicts a text' },
  ],
}
