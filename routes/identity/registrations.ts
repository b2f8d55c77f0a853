import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import {
  CodeSchema, FlowParams, FlowSchema, NewRegistrationSchema, RegistrationResultSchema
} from '../../src/identity/index.ts'
import { ref } from '../../src/kernel/schemas.ts'
import { factsOf, tokensFor } from './tokens-answer.ts'

const routes: FastifyPluginAsyncTypebox = async (app) => {
  app.post('/registrations', {
    bodyLimit: 4096,
    schema: {
      operationId: 'startRegistration',
      tags: ['identity'],
      summary: 'Ask for an account; a code is mailed to the address',
      body: ref(NewRegistrationSchema),
      response: { 202: ref(FlowSchema) }
    },
    config: { auth: { public: 'Who has no account yet cannot prove anything.' }, limit: 'mail' }
  }, async (request, reply) => await reply.code(202).send(await app.identity.register(request.body)))

  app.post('/registrations/:flowId/verify', {
    bodyLimit: 4096,
    schema: {
      operationId: 'verifyRegistration',
      tags: ['identity'],
      summary: 'Prove the address with the mailed code; the account and its workspace come to be',
      params: ref(FlowParams),
      body: ref(CodeSchema),
      response: { 201: ref(RegistrationResultSchema) }
    },
    config: { auth: { public: 'The mailed code is the proof of this step.' }, limit: 'auth' }
  }, async (request, reply) => {
    const { code, ...client } = request.body
    const facts = factsOf(request, client)
    const { tokens, ...made } = await app.identity.verifyRegistration(request.params.flowId, code, facts)
    return await reply.code(201).send({ ...made, ...tokensFor(reply, facts.client, tokens) })
  })
}

export default routes
