export { JobsError } from './errors.ts'
