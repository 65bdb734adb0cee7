/** An engine that dies of its first call. */
process.on('message', (message: { readonly say: string }) => {
  if (message.say !== 'call') return
  process.stderr.write('its last words\n', () => process.exit(9))
})
