// A factory that returns verbs, or a plugin that binds handlers, is as long as its content; what counts is what is its own.
const kinds = 'FunctionDeclaration, FunctionExpression, ArrowFunctionExpression'

/** Like `max-lines-per-function`, without the lines of functions inside. */
export const ownLines = {
  meta: { type: 'suggestion', schema: [{ type: 'integer' }], messages: { long: '{{lines}} lines of its own; at most {{max}}.' } },
  create (context) {
    const max = context.options[0] ?? 60
    const inner = []
    return {
      [kinds] () { inner.push(0) },
      [`:matches(${kinds}):exit`] (node) {
        const all = node.loc.end.line - node.loc.start.line + 1
        const lines = all - inner.pop()
        if (lines > max) context.report({ node, loc: node.loc.start, messageId: 'long', data: { lines, max } })
        if (inner.length > 0) inner[inner.length - 1] += all - 1
      }
    }
  }
}
