/** The errors of `SubtensorModule`, in the order of their indices, and the codes that stand for them in the pool. */
import { DispatchFailure, type ErrorSpec } from '../../define.ts'

export const PALLET = 'SubtensorModule'

const NAMES = `
RootNetworkDoesNotExist InvalidIpType InvalidIpAddress InvalidPort HotKeyNotRegisteredInSubNet HotKeyAccountNotExists
HotKeyNotRegisteredInNetwork NonAssociatedColdKey NotEnoughStake NotEnoughStakeToWithdraw NotEnoughStakeToSetWeights
NotEnoughStakeToSetChildkeys NotEnoughBalanceToStake BalanceWithdrawalError ZeroBalanceAfterWithdrawn
NeuronNoValidatorPermit WeightVecNotEqualSize DuplicateUids UidVecContainInvalidOne WeightVecLengthIsLow
TooManyRegistrationsThisBlock HotKeyAlreadyRegisteredInSubNet NewHotKeyIsSameWithOld NewHotKeyNotCleanForRootSwap
InvalidWorkBlock InvalidDifficulty InvalidSeal MaxWeightExceeded HotKeyAlreadyDelegate SettingWeightsTooFast
IncorrectWeightVersionKey ServingRateLimitExceeded UidsLengthExceedUidsInSubNet NetworkTxRateLimitExceeded
DelegateTxRateLimitExceeded HotKeySetTxRateLimitExceeded StakingRateLimitExceeded SubNetRegistrationDisabled
TooManyRegistrationsThisInterval TransactorAccountShouldBeHotKey FaucetDisabled NotSubnetOwner
RegistrationNotPermittedOnRootSubnet StakeTooLowForRoot AllNetworksInImmunity NotEnoughBalanceToPaySwapHotKey
NotRootSubnet CanNotSetRootNetworkWeights NoNeuronIdAvailable DelegateTakeTooLow DelegateTakeTooHigh
NoWeightsCommitFound InvalidRevealCommitHashNotMatch CommitRevealEnabled CommitRevealDisabled LiquidAlphaDisabled
AlphaHighTooLow AlphaLowOutOfRange ColdKeyAlreadyAssociated NotEnoughBalanceToPaySwapColdKey InvalidChild
DuplicateChild ProportionOverflow TooManyChildren TxRateLimitExceeded ColdkeySwapAnnouncementNotFound
ColdkeySwapTooEarly ColdkeySwapReannouncedTooEarly AnnouncedColdkeyHashDoesNotMatch ColdkeySwapAlreadyDisputed
NewColdKeyIsHotkey InvalidChildkeyTake TxChildkeyTakeRateLimitExceeded InvalidIdentity MechanismDoesNotExist
StakeUnavailable SubnetNotExists TooManyUnrevealedCommits ExpiredWeightCommit RevealTooEarly InputLengthsUnequal
CommittingWeightsTooFast AmountTooLow InsufficientLiquidity SlippageTooHigh TransferDisallowed ActivityCutoffTooLow
CallDisabled FirstEmissionBlockNumberAlreadySet NeedWaitingMoreBlocksToStarCall NotEnoughAlphaOutToRecycle
CannotBurnOrRecycleOnRootSubnet UnableToRecoverPublicKey InvalidRecoveredPublicKey SubtokenDisabled
HotKeySwapOnSubnetIntervalNotPassed SameNetuid InsufficientBalance InvalidLeaseBeneficiary LeaseCannotEndInThePast
LeaseNetuidNotFound LeaseDoesNotExist LeaseHasNoEndBlock LeaseHasNotEnded Overflow BeneficiaryDoesNotOwnHotkey
ExpectedBeneficiaryOrigin AdminActionProhibitedDuringWeightsWindow SymbolDoesNotExist SymbolAlreadyInUse
IncorrectCommitRevealVersion InvalidRevealRound RevealPeriodTooLarge RevealPeriodTooSmall InvalidValue
SubnetLimitReached CannotAffordLockCost EvmKeyAssociateRateLimitExceeded SameAutoStakeHotkeyAlreadySet
UidMapCouldNotBeCleared TrimmingWouldExceedMaxImmunePercentage ChildParentInconsistency InvalidNumRootClaim
InvalidRootClaimThreshold InvalidSubnetNumber TooManyUIDsPerMechanism VotingPowerTrackingNotEnabled
InvalidVotingPowerEmaAlpha Deprecated AddStakeBurnRateLimitExceeded ColdkeySwapAnnounced ColdkeySwapDisputed
ColdkeySwapClearTooEarly DisabledTemporarily RegistrationPriceLimitExceeded LockHotkeyMismatch
InsufficientStakeForLock NoExistingLock ActiveLockExists CannotUseSystemAccount UnlockAmountTooHigh TempoOutOfBounds
ActivityCutoffFactorMilliOutOfBounds EpochTriggerAlreadyPending AutoEpochAlreadyImminent
DynamicTempoBlockedByCommitReveal AccountRejectsLockedAlpha
`

export const ERRORS: readonly ErrorSpec[] = NAMES.trim()
  .split(/\s+/)
  .map((name, index) => ({ index, name }))

/** Throws unless `condition`. */
export function must(condition: boolean, error: string): asserts condition {
  if (!condition) throw new DispatchFailure(PALLET, error)
}

/** `1010 custom:N` for a check that a runtime makes before a transaction enters the pool. */
const POOL_CODES: { readonly [error: string]: number } = {
  AmountTooLow: 1,
  NotEnoughStakeToSetWeights: 1,
  NotEnoughBalanceToStake: 2,
  SubnetNotExists: 3,
  HotKeyAccountNotExists: 4,
  NotEnoughStakeToWithdraw: 5,
  CommittingWeightsTooFast: 6,
  SettingWeightsTooFast: 6,
  NetworkTxRateLimitExceeded: 6,
  InsufficientLiquidity: 7,
  SlippageTooHigh: 8,
  TransferDisallowed: 9,
  HotKeyNotRegisteredInNetwork: 10,
  InvalidIpAddress: 11,
  ServingRateLimitExceeded: 12,
  InvalidPort: 13,
  InvalidRevealRound: 15,
  NoWeightsCommitFound: 16,
  RevealTooEarly: 17,
  InputLengthsUnequal: 18,
  HotKeyNotRegisteredInSubNet: 19,
  NonAssociatedColdKey: 25,
  DelegateTakeTooLow: 26,
  DelegateTakeTooHigh: 27,
}
const BAD_REQUEST = 255

export const poolCode = ({ error }: DispatchFailure): number => POOL_CODES[error] ?? BAD_REQUEST
