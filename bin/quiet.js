/**
 * Hides one warning that is nobody's business: that Node strips our types itself. Every other warning stays.
 *
 * Loaded by the door, and with `--import` by whoever starts Node on our sources directly: a worker thread, a script.
 */
const emitWarning = process.emitWarning

process.emitWarning = (warning, ...rest) => {
  if (rest[0] === 'ExperimentalWarning' && String(warning).startsWith('Type Stripping')) return
  emitWarning.call(process, warning, ...rest)
}
