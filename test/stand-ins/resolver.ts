// A name server that changes its mind.

/** Answers the lists one after another, the last one for ever: what a rebinding name server does. */
export function rebindingLookup (...answers: string[][]): (host: string) => Promise<string[]> {
  let asked = 0
  return async () => answers[Math.min(asked++, answers.length - 1)] ?? []
}
