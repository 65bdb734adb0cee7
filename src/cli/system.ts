/** The system's own ports, as the commands use them: most of them log nothing. */
import { SYSTEM } from '../chain/system.ts'

export const { clock: CLOCK, random: RANDOM, log: SILENT } = SYSTEM
