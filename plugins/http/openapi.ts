import swagger from '@fastify/swagger'
import fp from 'fastify-plugin'
import { documentRoutes } from './openapi/routes.ts'
import { reference } from './openapi/reference.ts'
import { swaggerSettings } from './openapi/settings.ts'

export interface OpenapiOptions { version: string, publicUrl: string }

export default fp<OpenapiOptions>(async function openapi (app, { version, publicUrl }) {
  await app.register(swagger, swaggerSettings({ version, publicUrl }))
  documentRoutes(app, version)
  await app.mount('/docs', reference, {
    auth: { public: 'The docs page is for everybody who builds on the interface.' }, limit: 'free', hide: true
  })
}, { name: 'openapi', dependencies: ['errors', 'auth', 'negotiation'] })
