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
  ],
  load: () => import('./model-train.ts'),
}

export const modelGroup: Group = {
  name: 'model',
  summary: 'judge and train mixture-of-experts models',
  commands: [loss, train],
  examples: [{ line: 'wheelwright model loss ./OLMoE-1B-7B --text book.txt', shows: 'how well it predicts a text' }],
}
