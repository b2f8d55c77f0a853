/** The libraries of our pages: how a page names them, and where their modules lie below `node_modules`. */
export const vendored: Record<string, string> = {
  preact: 'preact/dist/preact.mjs',
  'preact/hooks': 'preact/hooks/dist/hooks.mjs',
  htm: 'htm/dist/htm.mjs',
  'htm/preact': 'htm/preact/index.mjs',
  '@preact/signals': '@preact/signals/dist/signals.mjs',
  '@preact/signals-core': '@preact/signals-core/dist/signals-core.mjs',
  uplot: 'uplot/dist/uPlot.esm.js'
}

/** Other files of these libraries. */
export const vendoredFiles: readonly string[] = ['uplot/dist/uPlot.min.css']
