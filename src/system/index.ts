export { processCollections } from './processes/indexes.ts'
export { createProcessRepository, type ProcessEntry, type ProcessRepository } from './processes/repository.ts'
