export { FetchError } from './errors.ts'
