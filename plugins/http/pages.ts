import fp from 'fastify-plugin'

export default fp(async function pages () {
}, { name: 'pages', dependencies: ['auth'] })
