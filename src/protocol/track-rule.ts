/**
 * The one table of what the kinds of track do (protocol §3): what a constitution must say, what a submission is and when it
 * is well-formed, and what becomes of the accepted ones. Total: a new kind does not compile before it has all three.
 */
import { judgeSubmission, type Submission, type SubmissionCode, type SubmissionView } from './manifest.ts'
import { type CertifiedGains, type GroupPlan, planExperts } from './merge-plan.ts'
import type { Flaw } from './schema.ts'
import { checkExperts, type Taken, type Track, type TrackKind } from './track.ts'

export type TrackRules = {
  readonly check: (track: Track, field: string, taken: Taken) => Flaw | null
  readonly judge: (view: SubmissionView, submission: Submission) => SubmissionCode | null
  readonly settle: (track: Track, certified: CertifiedGains) => readonly GroupPlan[]
}

export const TRACK_RULES: { readonly [K in TrackKind]: TrackRules } = {
  experts: { check: checkExperts, judge: judgeSubmission, settle: planExperts },
}
