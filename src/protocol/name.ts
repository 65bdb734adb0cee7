/**
 * Names of tracks, domains and groups: plain and short enough to be a label of a metric, a file name and a table's column.
 */
import { NAME_CHARS_MAX } from './limits.ts'
import { text } from './schema.ts'

export const nameShape = text(new RegExp(`^[a-z][a-z0-9-]{0,${NAME_CHARS_MAX - 1}}$`), 'a short name of a-z, 0-9 and -')
