/** The commands of `wheelwright wallet`, and the flags by which every command names a wallet. */
import type { Command, Flags, Group } from './command.ts'

export const PASSWORD_VARIABLE = 'WHEELWRIGHT_PASSWORD'

export const WALLET_DIR_FLAG = {
  'wallet-dir': {
    type: 'string',
    valueName: 'DIR',
    description: 'where wallets are; ~/.bittensor/wallets when not given, as for btcli',
  },
} as const satisfies Flags

export const WALLET_FLAGS = {
  wallet: { type: 'string', valueName: 'NAME', description: 'the wallet; default when only --hotkey is given' },
  hotkey: { type: 'string', valueName: 'NAME', description: 'its hotkey; default when only --wallet is given' },
  ...WALLET_DIR_FLAG,
} as const satisfies Flags

export const PASSWORD_FLAG = {
  'password-file': {
    type: 'string',
    valueName: 'FILE',
    description: `holds the password of the coldkey; or set ${PASSWORD_VARIABLE}, or be asked`,
  },
} as const satisfies Flags

export const WALLET_NEW_FLAGS = {
  ...WALLET_FLAGS,
  ...PASSWORD_FLAG,
  'coldkey-phrase': {
    type: 'string',
    valueName: 'FILE',
    description: 'restore the coldkey from the words in this file',
  },
  'hotkey-phrase': { type: 'string', valueName: 'FILE', description: 'restore the hotkey from the words in this file' },
  'hotkey-only': { type: 'boolean', description: 'leave the coldkey where it is safe: on another machine' },
  plain: { type: 'boolean', description: 'keep the coldkey without a password, for wallets that own nothing' },
  'show-mnemonic': { type: 'boolean', description: 'print the phrases also where no terminal shows them' },
} as const satisfies Flags

const walletNew: Command<typeof WALLET_NEW_FLAGS> = {
  name: 'new',
  summary: 'make a wallet, or another hotkey of one',
  flags: WALLET_NEW_FLAGS,
  examples: [
    { line: 'wheelwright wallet new', shows: 'the wallet and the hotkey called default; asks for a password' },
    { line: 'wheelwright wallet new --wallet mine --hotkey second --hotkey-only', shows: 'one more hotkey' },
    {
      line: 'wheelwright wallet new --wallet mine --hotkey-phrase words.txt --hotkey-only',
      shows: 'a hotkey restored',
    },
  ],
  load: () => import('./wallet-new.ts'),
}

const walletList: Command<typeof WALLET_DIR_FLAG> = {
  name: 'list',
  summary: 'list wallets and hotkeys with their addresses',
  flags: WALLET_DIR_FLAG,
  examples: [{ line: 'wheelwright wallet list', shows: 'what is there, and what is wrong with it' }],
  load: () => import('./wallet-list.ts'),
}

const walletShow: Command<typeof WALLET_FLAGS> = {
  name: 'show',
  summary: 'show the addresses of a wallet and check its files',
  flags: WALLET_FLAGS,
  examples: [{ line: 'wheelwright wallet show --wallet mine --hotkey second', shows: 'addresses, never secrets' }],
  load: () => import('./wallet-show.ts'),
}

export const walletGroup: Group = {
  name: 'wallet',
  summary: 'make and look at Bittensor wallets, the same that btcli uses',
  commands: [walletNew, walletList, walletShow],
  examples: [{ line: 'wheelwright wallet list', shows: 'the wallets of this machine' }],
}
