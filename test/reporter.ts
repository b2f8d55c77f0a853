// One line a file, then everything about those that failed, and a last line that nothing follows.
import { writeSync } from 'node:fs'
import { Transform, type TransformCallback } from 'node:stream'

const result = /^(not )?ok \d+(?: - (.*?))?(?: # time=([\d.]+m?s))?( \{)?$/
const testResult = /^ {4}(not )?ok \d+/

export default class Reporter extends Transform {
  private rest = ''
  private block: string[] = []
  private file: { name: string, isOk: boolean, time: string } | undefined
  private failures: string[] = []
  private passed = 0
  private failed = 0

  constructor () {
    super({ decodeStrings: false, encoding: 'utf8' })
    process.on('exit', () => { writeSync(1, `${this.passed} passed, ${this.failed} failed\n`) })
  }

  override _transform (chunk: Buffer | string, _encoding: string, done: TransformCallback): void {
    const lines = (this.rest + chunk.toString()).split('\n')
    this.rest = lines.pop() ?? ''
    for (const line of lines) this.takeLine(line)
    done()
  }

  override _flush (done: TransformCallback): void {
    this.takeLine(this.rest)
    for (const failure of this.failures) this.push(failure)
    done()
  }

  /** A file comes whole between braces, or as an indented block before its result. */
  private takeLine (line: string): void {
    const found = result.exec(line)
    if (found !== null) {
      const [, not, name = '', time = '', brace] = found
      this.file = { name, isOk: not === undefined, time }
      if (brace === undefined) this.closeFile()
    } else if (line === '}') {
      this.closeFile()
    } else if (line.startsWith('Bail out!')) {
      this.failed++
      this.push(`${line}\n`)
    } else if (line.startsWith(' ') || line === '') {
      this.block.push(line)
    }
  }

  private closeFile (): void {
    if (this.file === undefined) return
    const { name, isOk, time } = this.file
    const tests = this.block.filter((line) => testResult.test(line))
    const failed = tests.filter((line) => line.startsWith('    not ok')).length
    this.passed += tests.length - failed
    this.failed += isOk ? failed : Math.max(failed, 1)
    this.push(`${isOk ? 'ok    ' : 'FAILED'} ${name}  ${tests.length - failed} of ${tests.length}  ${time}\n`)
    if (!isOk) this.failures.push(`\nFAILED ${name}\n${this.block.join('\n')}\n`)
    this.block = []
    this.file = undefined
  }
}
