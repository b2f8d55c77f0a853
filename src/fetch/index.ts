export { FetchError } from './errors.ts'
export { canonicalAddress, isDeniedAddress, literalOf } from './addresses.ts'
export { maxHeaderBytes, maxRatio, profiles, type Limits } from './profiles.ts'
export { canonicalUrl, createAllowed, parseTarget, portOf, type Allowed } from './targets.ts'
