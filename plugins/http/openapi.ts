import fp from 'fastify-plugin'

export interface OpenapiOptions { version: string, publicUrl: string }

export default fp<OpenapiOptions>(async function openapi () {
}, { name: 'openapi', dependencies: ['errors', 'auth'] })
