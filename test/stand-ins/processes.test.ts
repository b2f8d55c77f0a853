import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { createTransport } from 'nodemailer'
import t from 'tap'
import type { PlatformsReady } from './platforms/main.ts'
import { spawnStandIn } from './process.ts'
import type { SmtpReady } from './smtp-main.ts'
import { startSmtpSink, type SunkMail } from './smtp.ts'

const platformsUrl = new URL('platforms/main.ts', import.meta.url)
const smtpUrl = new URL('smtp-main.ts', import.meta.url)

const mail = { from: 'Switchyard <noreply@example.org>', to: 'ada@example.org', subject: 'Grüße', text: 'Code 123456' }

t.test('the sink keeps what it takes and refuses when told', async (t) => {
  const sink = await startSmtpSink()
  t.teardown(sink.close)
  const transport = createTransport(sink.url)
  t.teardown(() => transport.close())
  const coming = sink.waitFor(({ to }) => to.includes('ada@example.org'))
  await transport.sendMail({ ...mail, html: '<p>Code <b>123456</b></p>' })
  t.match(await coming, {
    n: 1,
    from: 'noreply@example.org',
    subject: 'Grüße',
    text: /^Code 123456/,
    html: /<b>123456<\/b>/,
    envelope: { from: 'noreply@example.org', to: ['ada@example.org'] },
    headers: { 'message-id': /@/ }
  })
  sink.refuse({ code: 451, times: 1 })
  t.match(await transport.sendMail(mail).catch((error: unknown) => error), { responseCode: 451 })
  sink.refuse({ step: 'rcpt', code: 550, times: 1 })
  t.match(await transport.sendMail(mail).catch((error: unknown) => error), { responseCode: 550 })
  t.equal(sink.mails.length, 1)
  await transport.sendMail(mail)
  t.equal(sink.mails.length, 2)
  await t.rejects(sink.waitFor(() => false, 20), /No such mail within 20 ms; 2 came/)
})

t.test('both run as processes and end on SIGTERM', async (t) => {
  const [platforms, smtp] = await Promise.all([
    spawnStandIn<PlatformsReady>(platformsUrl, ['--small', '--main-job-faults']),
    spawnStandIn<SmtpReady>(smtpUrl)
  ])
  t.match(await (await fetch(`${platforms.ready.origin}/api/v2/instance`)).json(), { version: /^4\./ })
  const { items } = await (await fetch(`${platforms.ready.control}/control/faults`)).json() as { items: unknown[] }
  t.equal(items.length, 2)
  const transport = createTransport(smtp.ready.url)
  const next = fetch(`${smtp.ready.control}/mails/next?to=ada@example.org`)
  await transport.sendMail(mail)
  t.match(await (await next).json(), { subject: 'Grüße' })
  const taken = await (await fetch(`${smtp.ready.control}/mails`)).json() as { items: SunkMail[] }
  t.equal(taken.items.length, 1)
  transport.close()
  await Promise.all([platforms.stop(), smtp.stop()])
  await t.rejects(fetch(platforms.ready.origin), TypeError)
  await t.rejects(fetch(smtp.ready.control), TypeError)
})

t.test('a killed parent leaves no orphan', async (t) => {
  const script = `
    import { spawnStandIn } from ${JSON.stringify(new URL('process.ts', import.meta.url).href)}
    const { ready } = await spawnStandIn(new URL(${JSON.stringify(smtpUrl.href)}))
    console.log(JSON.stringify(ready))
    setInterval(() => {}, 1000)`
  const args = ['--input-type=module', '-e', script]
  const parent = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = await once(createInterface(parent.stdout), 'line') as [string]
  const { pid } = JSON.parse(line) as SmtpReady & { pid: number }
  parent.kill('SIGKILL')
  const isAlive = () => { try { return process.kill(pid, 0) } catch { return false } }
  const deadline = performance.now() + 5000
  while (isAlive() && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 20))
  t.equal(isAlive(), false)
})
