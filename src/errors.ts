/**
 * Everything that can go wrong between us and the world: one registry of codes, one table of exit codes, one class.
 *
 * A code is for programs and metrics, `what`, `why` and `remedy` are for people. A new part of the product adds its
 * codes here. What a peer sent is never an error but a verdict; a bug of ours is an assertion. Imports nothing.
 */

/** What the process says when it ends. Scripts may rely on these. */
export const EXIT = {
  /** The work is complete. A command that runs until it is told to stop, and was, is complete. */
  ok: 0,
  /** A bug of ours. */
  internal: 1,
  /** The command line makes no sense; nothing was done. */
  usage: 2,
  /** A file or a value that the user handed in is not what it should be. */
  input: 3,
  /** This machine lacks something: Node, a port, disk, memory. */
  environment: 4,
  /** Somebody else did not answer: a peer, a chain endpoint. The same command may work later. */
  unavailable: 5,
  /** The network answered, but did not settle what was asked of it: a cycle ended without its certificate. */
  unsettled: 6,
  /** Stopped by a signal before the work was complete: 128 + SIGINT, as shells have it. */
  interrupted: 130,
} as const

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

type ErrorEntry = {
  readonly exit: ExitCode
  /** One sentence: what it means when you see this code. */
  readonly means: string
  /** One sentence: what to do, when the place that threw knows nothing better. */
  readonly remedy: string
}

export const ERRORS = {
  INTERNAL: {
    exit: EXIT.internal,
    means: 'Wheelwright broke one of its own rules: this is a bug.',
    remedy: 'Report it with the command line and the lines below it.',
  },
  USAGE: {
    exit: EXIT.usage,
    means: 'The command line names a command, a flag or a value that does not exist or does not fit.',
    remedy: 'Run the same command with --help.',
  },
  SETUP_FAILED: {
    exit: EXIT.environment,
    means: 'The dependencies of a clone could not be installed.',
    remedy: 'Check the network and the disk, then run the same command again.',
  },
  NODE_MISSING: {
    exit: EXIT.environment,
    means: 'The running Node is too old, and the one that Wheelwright brings along was not installed.',
    remedy: 'Run `npm rebuild node --ignore-scripts=false` where wheelwright is installed, or use a newer Node.',
  },
  FILE_UNREADABLE: {
    exit: EXIT.input,
    means: 'A file that was named cannot be read.',
    remedy: 'Check the path and its permissions.',
  },
  CONSTITUTION_INVALID: {
    exit: EXIT.input,
    means: 'A constitution has a field that is missing, unknown or impossible; the field is named.',
    remedy: 'Mend the named field; `wheelwright constitution check FILE` judges it again.',
  },
  ROOT_UNKNOWN: {
    exit: EXIT.unavailable,
    means:
      'This node does not know the current root, and the chain does not show one that two thirds of the stake repeat.',
    remedy: 'Wait for the next cycle; if it stays so, less than two thirds of the stake take part.',
  },
  ROOT_MALFORMED: {
    exit: EXIT.unavailable,
    means: 'The document of the current root, or of its model, is not well-formed.',
    remedy: 'Check that the constitution is the one of this network; a quorum never signs such a root.',
  },
  COMMITMENT_LOST: {
    exit: EXIT.unavailable,
    means: 'The chain holds another commitment than the one that this node wrote, or none.',
    remedy: 'Make sure that only one process runs with this hotkey; the next cycle starts clean.',
  },
  WINDOW_MISSED: {
    exit: EXIT.unavailable,
    means: 'A write was not in the finalised state when its window closed, so it does not exist.',
    remedy: 'Nothing is lost but this cycle; if it happens again, check the chain endpoint and its lag.',
  },
  CHAIN_UNAVAILABLE: {
    exit: EXIT.unavailable,
    means: 'A chain endpoint does not answer, or not in time.',
    remedy: 'Check the address, and name more than one endpoint; a local one is started by `wheelwright chain`.',
  },
  CHAIN_FOREIGN: {
    exit: EXIT.input,
    means: 'The endpoint serves another chain than the constitution names, or one without the pallets of a subnet.',
    remedy: 'Check the address; a subnet needs the pallets SubtensorModule and Commitments.',
  },
  CHAIN_REFUSED: {
    exit: EXIT.unavailable,
    means: 'A chain endpoint answered a request with an error.',
    remedy: "The words are the endpoint's own; another one may answer, for instance one that keeps older states.",
  },
  ENDPOINT_INVALID: {
    exit: EXIT.usage,
    means: 'What was given as the address of a chain endpoint is no address of a WebSocket.',
    remedy: 'Write it as wss://host:port.',
  },
  SUBNET_UNKNOWN: {
    exit: EXIT.input,
    means: 'The chain has no subnet with this number.',
    remedy: 'Check --netuid and --network: subnets have other numbers on other networks.',
  },
  WALLET_NEEDED: {
    exit: EXIT.input,
    means: 'A write on chain needs a key, and none was given.',
    remedy: 'Name a wallet with --wallet and --hotkey, or a development key with --uri.',
  },
  WALLET_MISSING: {
    exit: EXIT.input,
    means: 'A wallet, or a key of it, was named and does not exist.',
    remedy: 'Look at `wheelwright wallet list` for what there is, and make one with `wheelwright wallet new`.',
  },
  WALLET_EXISTS: {
    exit: EXIT.input,
    means: 'A key was to be written where one is already, and keys are never overwritten.',
    remedy: 'Choose another name, or move the old file away after saving its phrase.',
  },
  WALLET_NAME_INVALID: {
    exit: EXIT.input,
    means: 'The name of a wallet or of a hotkey cannot be the name of a file in its directory.',
    remedy: 'Use letters, digits, dashes and underscores; the directory goes into --wallet-dir.',
  },
  WALLET_EXPOSED: {
    exit: EXIT.environment,
    means: 'Other users of this machine may read or replace a secret, so it is not used.',
    remedy: 'Take their permissions away with chmod; if they were not trusted, make a new key and move to it.',
  },
  WALLET_LOCKED: {
    exit: EXIT.input,
    means: 'An encrypted key needs its password, and it was not given or is wrong.',
    remedy: 'Type it when asked, or name a file with --password-file, or set WHEELWRIGHT_PASSWORD.',
  },
  WALLET_DAMAGED: {
    exit: EXIT.input,
    means: 'A key file is not what a wallet writes, or its parts contradict each other.',
    remedy: 'Restore it from its phrase with `wheelwright wallet new` under another name.',
  },
  WALLET_UNSUPPORTED: {
    exit: EXIT.input,
    means: 'A key file has an encryption or a kind of key that this program does not use.',
    remedy: 'Make an sr25519 wallet in the present format: `btcli wallet regen-coldkey` rewrites one from its phrase.',
  },
  FILE_UNWRITABLE: {
    exit: EXIT.environment,
    means: 'A file cannot be written where it has to be.',
    remedy: 'Check the directory, its permissions and the disk.',
  },
  JOURNAL_DAMAGED: {
    exit: EXIT.environment,
    means: 'The journal of chain writes was changed by something else than this program.',
    remedy: 'Check the disk; move the file away when no write of the last hour matters.',
  },
  WRITE_REFUSED: {
    exit: EXIT.input,
    means: 'The chain refused a transaction, and would refuse it again.',
    remedy: "The reason is the chain's own; it is in the line above.",
  },
  RATE_LIMITED: {
    exit: EXIT.unavailable,
    means: 'The chain allows this write again only after some blocks.',
    remedy: 'Run the same command again after the number of blocks that is named.',
  },
  ADDRESS_INVALID: {
    exit: EXIT.usage,
    means: 'What was given as the address of a peer is no multiaddr.',
    remedy: 'Write it as /ip4/203.0.114.7/tcp/4001, and with /p2p/ and the peer id behind it for a peer to dial.',
  },
  PEERS_UNAVAILABLE: {
    exit: EXIT.unavailable,
    means: 'None of the peers that were named answers.',
    remedy: 'Check their addresses, and that they run.',
  },
  MACHINE_UNFIT: {
    exit: EXIT.environment,
    means: 'The doctor has found something that a node needs and this machine lacks.',
    remedy: 'Do what the findings say, one after the other, and run it again.',
  },
  LISTEN_FAILED: {
    exit: EXIT.environment,
    means: 'A peer cannot listen on the address that it was given.',
    remedy: 'End what listens there, or choose another port; 0 takes a free one.',
  },
  CHAIN_PORT_TAKEN: {
    exit: EXIT.environment,
    means: 'The development chain cannot listen where it was told to.',
    remedy: 'End what listens there, or choose another port with --port; 0 takes a free one.',
  },
  CHAIN_DATA_BROKEN: {
    exit: EXIT.input,
    means: 'What an earlier run of the development chain left in its directory cannot be read back.',
    remedy: 'Name another directory, or delete this one to begin again at block 0.',
  },
  DATA_IN_USE: {
    exit: EXIT.environment,
    means: 'Another process works with the directory that was named, or with the same key in it.',
    remedy: 'End that one, or name another directory.',
  },
  BLOCK_UNKNOWN: {
    exit: EXIT.unavailable,
    means: 'The chain endpoint cannot answer for this block: it is not final yet, or its state was pruned.',
    remedy: 'Use an endpoint that keeps the state of the last cycles.',
  },
  BLOB_UNAVAILABLE: {
    exit: EXIT.unavailable,
    means: 'No peer in reach serves the content with this CID.',
    remedy: 'Try again later, or name a peer that has it.',
  },
  BLOB_TOO_LARGE: {
    exit: EXIT.unavailable,
    means: 'The content with this CID is larger than what was agreed on.',
    remedy: 'It is refused on purpose; whoever made it must keep to the limits of the constitution.',
  },
  BLOB_MALFORMED: {
    exit: EXIT.unavailable,
    means: 'The content with this CID is not of the one form that files and documents have here.',
    remedy: 'No peer can send it otherwise; whoever made it must store it in blocks of the profile.',
  },
  BLOB_FOREIGN: {
    exit: EXIT.internal,
    means: 'Bytes were to be stored under a CID that is not theirs.',
    remedy: 'What was fetched must be checked against its CID before it is handed to the store.',
  },
  BLOB_DAMAGED: {
    exit: EXIT.environment,
    means: 'Blocks of the store were not what they had been when they were stored, and are removed.',
    remedy: 'Fetch them again with `wheelwright checkpoint get`, or add their files again; then check the disk.',
  },
  CID_INVALID: {
    exit: EXIT.usage,
    means: 'What was given as a CID is none, or one of a kind that the store does not know.',
    remedy: 'Write it as `wheelwright checkpoint add` has printed it.',
  },
  CAR_INVALID: {
    exit: EXIT.input,
    means: 'A file that should be a CAR of version 1 is none, or holds a block that is not what its CID says.',
    remedy: 'Export it again; `wheelwright checkpoint export` and `ipfs dag export` write such files.',
  },
  DISK_QUOTA: {
    exit: EXIT.environment,
    means: 'The store has reached its limit, or the disk what is kept free on it; what was there stays usable.',
    remedy: 'Free old cycles by unpinning them, raise the limit of the store, or give it a larger disk.',
  },
  STORE_DAMAGED: {
    exit: EXIT.environment,
    means: 'The list of what the store keeps for good is not what the store wrote.',
    remedy:
      'Restore pins.json in the directory of the store, or delete it when nothing is pinned; blocks are not affected.',
  },
  STORE_UNAVAILABLE: {
    exit: EXIT.environment,
    means: 'The directory of the store cannot be read or written.',
    remedy: 'Check the directory, its permissions and owner, the disk, and the limit of open files.',
  },
  SAFETENSORS_INVALID: {
    exit: EXIT.input,
    means: 'A file that should be safetensors has a header that is not, or another length than its header says.',
    remedy: 'Save the model again; files of the usual libraries pass.',
  },
  MODEL_UNSUPPORTED: {
    exit: EXIT.input,
    means: 'A model is of a kind that the engine cannot build.',
    remedy: 'Use a model of one of the families that `wheelwright model inspect --help` lists.',
  },
  MODEL_MALFORMED: {
    exit: EXIT.input,
    means: 'The files of a model contradict each other, or lack something.',
    remedy: 'Fetch or save the model again; config.json and the tensors must be of one model.',
  },
  DELTA_INVALID: {
    exit: EXIT.input,
    means: 'A delta does not fit its model: a tensor is unknown, frozen, of another shape or type, or not finite.',
    remedy: 'Name the model that it was trained on; `wheelwright model train` writes deltas that fit.',
  },
  DATA_INVALID: {
    exit: EXIT.input,
    means: 'Tokens or text to train or judge on are not in the form that they should have.',
    remedy: 'Mend what is named; tokens are equally long arrays of ids, documents are lines of JSON with a text.',
  },
  MEMORY_EXHAUSTED: {
    exit: EXIT.environment,
    means: 'The engine cannot have the memory that it needs.',
    remedy: 'End other programs, use shorter sequences, or a machine with more memory.',
  },
  ENGINE_DIED: {
    exit: EXIT.environment,
    means: 'The worker that computes has ended before its work was done.',
    remedy: 'The reason is in the line above; `wheelwright doctor` tests what this machine can compute with.',
  },
  DEVICE_UNFIT: {
    exit: EXIT.environment,
    means: 'The device that was asked for cannot compute on this machine, or computes something else than the CPU.',
    remedy: 'Use --device cpu; `wheelwright doctor` says of every device whether it works and how to get it.',
  },
  EVALUATION_LATE: {
    exit: EXIT.unsettled,
    means: 'A part of the evaluation did not end in its share of the phase; what was not measured has no score.',
    remedy: 'Use a faster device, or a network with fewer seats or a longer phase.',
  },
  STEP_LATE: {
    exit: EXIT.unsettled,
    means: 'A step of a cycle had not ended when its block came, so the cycle went on without it.',
    remedy: 'Check what the step waits for: the chain endpoint, the disk, the peers, the data.',
  },
  BODY_MISSING: {
    exit: EXIT.unsettled,
    means:
      'A report that counts did not reach this validator in time, so it merges nothing and takes the root of the others.',
    remedy:
      'Check that this node can be reached by other validators; the next cycle starts from the same root as theirs.',
  },
  CYCLE_UNSETTLED: {
    exit: EXIT.unsettled,
    means: 'A cycle ended without its certificate: less than two thirds of the stake agreed in time.',
    remedy: 'A busy machine needs slower blocks: try --block-ms 2000; --json shows every step that failed and why.',
  },
  DATA_MISSING: {
    exit: EXIT.input,
    means: 'There are no sequences to judge on: no sealed shard was opened and there is no public pool.',
    remedy: 'Give the constitution a pool per domain, or this validator evaluation data.',
  },
  INTERRUPTED: {
    exit: EXIT.interrupted,
    means: 'A signal ended the command before its work was complete.',
    remedy: 'Run the command again; nothing that was finished is lost.',
  },
} as const satisfies Record<string, ErrorEntry>

export type ErrorCode = keyof typeof ERRORS

export type ErrorData = Readonly<Record<string, string | number | boolean | null>>

export type NodeErrorOptions = {
  /** What happened, in one line. */
  readonly what: string
  /** Why it happened, as far as we know. */
  readonly why: string
  /** What to do about it; the registry's general advice when absent. */
  readonly remedy?: string
  /** Flat facts for programs: paths, numbers, names. */
  readonly data?: ErrorData
  /** The error underneath, for the log. */
  readonly cause?: unknown
}

export class NodeError extends Error {
  readonly code: ErrorCode
  readonly what: string
  readonly why: string
  readonly remedy: string
  readonly data: ErrorData

  constructor(code: ErrorCode, { what, why, remedy, data, cause }: NodeErrorOptions) {
    super(`${code}: ${what}: ${why}`, cause === undefined ? undefined : { cause })
    this.name = 'NodeError'
    this.code = code
    this.what = what
    this.why = why
    this.remedy = remedy ?? ERRORS[code].remedy
    this.data = data ?? {}
  }
}

export const isErrorCode = (text: string): text is ErrorCode => Object.hasOwn(ERRORS, text)
