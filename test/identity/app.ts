import { build, type BuildOptions } from '../helper.ts'

/** An app of the domains that identity and notifications need: it boots faster than the whole. */
export async function buildPeople (t: Parameters<typeof build>[0], options: BuildOptions = {}) {
  return await build(t, { ...options, config: { DOMAINS: 'identity,notifications,analytics', ...options.config } })
}
